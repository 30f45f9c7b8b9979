"""What is wrong with a folder of DAGs: the check that a planted mistake must not pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_process import Airflow

INTERVAL = {"start": "2026-10-29T09:00:00+00:00", "end": "2026-10-29T10:00:00+00:00"}
# Airflow's own, of its .airflowignore.
_NOT_OURS = "GitWildMatchPattern"


def dag_faults(airflow: Airflow, dags: Path) -> list[str]:
    """One line a fault, which names the file or the task; none where all is well."""
    found = airflow.ask("structure", dags=str(dags))
    faults = [f"{file}: {error.splitlines()[-1]}" for file, error in found["errors"].items()]
    faults += [f"{file}: warns {text}" for text, file in found["warnings"] if _NOT_OURS not in text]
    pools = json.loads(dags.with_name("pools.json").read_text())
    for dag_id, dag in found["dags"].items():
        for task_id, task in dag["tasks"].items():
            faults += [f"{dag_id}.{task_id}: {fault}" for fault in _task_faults(task, pools)]
        rendered = airflow.ask("rendered", dags=str(dags), dag_id=dag_id, **INTERVAL)
        undefined = {t: place["undefined"] for t, place in rendered.items() if "undefined" in place}
        faults += [f"{dag_id}.{task_id}: {error}" for task_id, error in undefined.items()]
    return faults


def _task_faults(task: dict[str, Any], pools: dict[str, Any]) -> list[str]:
    faults = []
    if task["pool"] not in pools:
        faults.append(f"no pool {task['pool']!r} in pools.json; there are {sorted(pools)}")
    if task["timeout"] is None:
        faults.append("has no execution_timeout")
    if not task["retries"][0] or not task["retries"][2]:
        faults.append("is not tried again with a growing delay")
    if task["trigger_rule"] != "all_success":
        faults.append(f"runs on {task['trigger_rule']}, so not only after success")
    return faults
