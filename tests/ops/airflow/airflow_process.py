"""Airflow's own environment, from the tests' side: a process that is asked by JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from programs import BIN

ROOT = Path(__file__).parents[3]
DAGS = ROOT / "airflow" / "dags"
PYTHON = ROOT / ".airflow-venv" / "bin" / "python"
# What every DAG needs; nothing of it exists.
SCHEDULES = {
    "LOCKSTEP_USE_CASES": "fraud",
    "LOCKSTEP_SCHEDULE_START": "2026-09-01T00",
    "LOCKSTEP_LANDING": "s3://landing/raw",
}

# The operator wants to know of a cluster before it says what it would send there.
_NO_CLUSTER = """
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {}}]
current-context: none
"""


@dataclass
class Airflow:
    """Answers of the worker; `log` is what it and the tasks printed for the last one."""

    process: subprocess.Popen[str]
    log_file: Path
    log: str = ""

    def ask(self, do: str, *, env: dict[str, str] | None = None, **request: Any) -> Any:
        """The answer; the DAGs are ours unless the request names other ones."""
        assert self.process.stdin
        assert self.process.stdout
        env = SCHEDULES if env is None else env
        self.process.stdin.write(
            json.dumps({"do": do, "env": env, "dags": str(DAGS)} | request) + "\n"
        )
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the worker has ended: {self.log_file.read_text()[-2000:]}"
        answered = json.loads(line)
        self.log = answered["log"]
        return answered["answer"]


@contextmanager
def airflow_process(home: Path) -> Iterator[Airflow]:
    """The worker, with a metadata database in `home` if it needs one."""
    subprocess.run([ROOT / "airflow" / "make-environment"], check=True)
    worker = Path(__file__).with_name("airflow_worker.py")
    log = home / "log.txt"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [PYTHON, worker, log],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=home,
            env=_environment(home),
        )
        try:
            yield Airflow(process, log)
        finally:
            assert process.stdin
            assert process.stdout
            process.stdin.close()
            process.wait(timeout=30)
            process.stdout.close()


def _environment(home: Path) -> dict[str, str]:
    (home / "kubeconfig").write_text(_NO_CLUSTER)
    foreign = ("AIRFLOW", "AWS_", "LOCKSTEP_", "MLFLOW_", "REDIS_URL", "PYTHON")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return own | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "AIRFLOW_HOME": str(home),
        "KUBECONFIG": str(home / "kubeconfig"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    }
