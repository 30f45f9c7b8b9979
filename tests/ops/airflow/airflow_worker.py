"""Runs in Airflow's own environment and answers requests, one JSON object a line.

Airflow takes long to import, so one process serves all tests. What it and the tasks print goes to
the file that the first argument names.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ENVIRONMENT = dict(os.environ)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    log = Path(sys.argv[1])
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for line in sys.stdin:
        request = json.loads(line)
        os.environ.clear()
        os.environ.update(ENVIRONMENT | request.pop("env"))
        before = log.stat().st_size
        answer = ACTIONS[request.pop("do")](**request)
        sys.stdout.flush()
        printed = log.read_bytes()[before:].decode()
        answers.write(json.dumps({"answer": answer, "log": printed}, default=str) + "\n")
        answers.flush()


def parsed(folder: str) -> Any:
    from airflow.dag_processing.dagbag import BundleDagBag

    path = Path(folder)
    return BundleDagBag(dag_folder=path, bundle_path=path, bundle_name="dags-folder")


def structure(dags: str) -> dict[str, Any]:
    """What the DAGs of a folder are, which files cannot be imported, and the warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        bag = parsed(dags)
    return {
        "errors": {Path(path).name: error for path, error in bag.import_errors.items()},
        "warnings": [[str(w.message), w.filename] for w in told],
        "dags": {name: _dag(dag) for name, dag in sorted(bag.dags.items())},
    }


def _dag(dag: Any) -> dict[str, Any]:
    (deadline,) = dag.deadline
    return {
        "schedule": dag.timetable.expression,
        "timetable": type(dag.timetable).__name__,
        "zone": str(dag.timetable.timezone),
        "start": dag.start_date,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "done_within": [type(deadline.reference).__name__, deadline.interval],
        "tasks": {task.task_id: _task(task) for task in dag.tasks},
    }


def _task(task: Any) -> dict[str, Any]:
    return {
        "operator": type(task).__name__,
        "after": sorted(task.upstream_task_ids),
        "command": _command(task),
        "trigger_rule": task.trigger_rule,
        "depends_on_past": task.depends_on_past,
        "pool": task.pool,
        "timeout": task.execution_timeout,
        "retries": [
            task.retries,
            task.retry_delay,
            task.retry_exponential_backoff,
            task.max_retry_delay,
        ],
        "skip_on_exit_code": list(task.skip_on_exit_code),
    }


def _command(task: Any) -> list[str] | str:
    match type(task).__name__:
        case "DockerOperator":
            return [*task.entrypoint, *task.command]
        case "KubernetesPodOperator":
            return [*task.cmds, *task.arguments]
        case _:
            return task.bash_command


def rendered(dags: str, dag_id: str, start: str, end: str) -> dict[str, Any]:
    """What each task of a DAG would run for a data interval; an error as its message."""
    from jinja2 import UndefinedError
    from pendulum import parse

    bag = parsed(dags)
    interval = {"data_interval_start": parse(start), "data_interval_end": parse(end)}
    found: dict[str, Any] = {}
    for task in bag.dags[dag_id].tasks:
        copy = task.prepare_for_execution()
        try:
            copy.render_template_fields(dict(interval))
        except UndefinedError as error:
            found[task.task_id] = {"undefined": str(error)}
            continue
        found[task.task_id] = _place(copy)
    return found


def _place(task: Any) -> dict[str, Any]:
    match type(task).__name__:
        case "DockerOperator":
            return {
                "command": _command(task),
                "image": task.image,
                "network": task.network_mode,
                "user": task.user,
                "removed": task.auto_remove,
                "environment": task.environment,
                "private_environment": sorted(task._private_environment),
                "mounts": task.mounts,
            }
        case "KubernetesPodOperator":
            from kubernetes.client import ApiClient

            pod = ApiClient().sanitize_for_serialization(task.build_pod_request_obj())
            pod["metadata"]["name"] = pod["metadata"]["name"].rpartition("-")[0]
            for label in ("airflow_version", "airflow_kpo_in_cluster"):
                pod["metadata"]["labels"].pop(label)
            return pod
        case _:
            return {"command": _command(task), "environment": task.env}


def serialized(dags: str) -> str:
    """What Airflow's database and its pages get to know of the DAGs."""
    from airflow.serialization.serialized_objects import DagSerialization

    return json.dumps([DagSerialization.to_dict(dag) for dag in parsed(dags).dags.values()])


def pools(dags: str) -> dict[str, int]:
    """The pools that Airflow has after it has imported those beside the DAG folder."""
    from airflow.cli.commands.pool_command import pool_import_helper
    from airflow.models.pool import Pool

    _database()
    _, failed = pool_import_helper(str(Path(dags).with_name("pools.json")))
    assert not failed, failed
    return {pool.pool: pool.slots for pool in Pool.get_pools()}


def run(dags: str, dag_id: str, end: str) -> dict[str, Any]:
    """The states of a run of the interval that ends at `end`; nothing is tried twice.

    `dag.test` of Airflow 3.3.2 cannot end a successful run that has a deadline: it looks for its
    definition where the database has its id. Deadlines are for `miss_deadline`.
    """
    _database()
    dag = parsed(dags).dags[dag_id]
    dag.deadline = None
    for task in dag.tasks:
        task.retries = 0
    ran = dag.test(logical_date=_instant(end))
    return {
        "state": ran.state,
        "interval": [ran.data_interval_start, ran.data_interval_end],
        "tasks": {ti.task_id: ti.state for ti in ran.get_task_instances()},
    }


def miss_deadline(dags: str, dag_id: str, queued_at: str) -> list[Any]:
    """What came of a run that the scheduler finds late: the callback's outcome."""
    import pendulum
    import structlog
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.models.deadline import Deadline
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.sdk.execution_time.callback_supervisor import execute_callback
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    _database()
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(parsed(dags), "dags-folder", None)
    at = pendulum.parse(queued_at)
    with create_session() as session:
        dag = SerializedDagModel.get_dag(dag_id, session=session)
        interval = dag.timetable.infer_manual_data_interval(run_after=at)
        dag.create_dagrun(
            run_id=f"scheduled__{queued_at}",
            logical_date=interval.start,
            data_interval=interval,
            run_after=at,
            run_type=DagRunType.SCHEDULED,
            triggered_by=DagRunTriggeredByType.TIMETABLE,
            state=DagRunState.QUEUED,
            session=session,
        )
        session.flush()
        deadline = session.query(Deadline).order_by(Deadline.created_at.desc()).first()
        within = deadline.deadline_time - deadline.dagrun.queued_at
        deadline.handle_miss(session)
        data = json.loads(json.dumps(deadline.callback.data, default=str))
    told = execute_callback(data["path"], data["kwargs"], "", dags, structlog.get_logger())
    return [within, *told]


def command_line(dags: str, arguments: list[str]) -> bool:
    """Whether Airflow's command line takes the arguments; nothing is run."""
    from airflow.cli.cli_parser import get_parser

    try:
        get_parser().parse_args(arguments)
    except SystemExit:
        return False
    return True


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _database() -> None:
    """A metadata database in Airflow's home, with the DAG folder as its bundle."""
    if not Path(ENVIRONMENT["AIRFLOW_HOME"], "airflow.db").exists():
        from airflow.utils.db import initdb

        initdb()


ACTIONS: dict[str, Callable[..., Any]] = {
    action.__name__: action
    for action in (structure, rendered, serialized, pools, run, miss_deadline, command_line)
}

if __name__ == "__main__":
    main()
