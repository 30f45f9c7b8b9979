"""The DAGs as Airflow reads them: import, structure, commands in each runner, alerts."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from airflow_process import DAGS, ROOT, SCHEDULES, Airflow
from dag_faults import INTERVAL, dag_faults

from lockstep.cli.main import app

IMAGE = {"LOCKSTEP_JOBS_IMAGE": "registry.example/lockstep-jobs:1.4.0"}
DOCKER = IMAGE | {"LOCKSTEP_RUNNER": "docker", "LOCKSTEP_DOCKER_NETWORK": "lockstep"}
KUBERNETES = IMAGE | {"LOCKSTEP_RUNNER": "kubernetes", "LOCKSTEP_NAMESPACE": "lockstep"}
SPARK = {
    "LOCKSTEP_ENGINE": "spark",
    "LOCKSTEP_SPARK_MASTER": "k8s://https://kubernetes.default.svc",
}
RUNNERS = {
    "process": {},
    "docker": DOCKER,
    "kubernetes": KUBERNETES,
    "spark": KUBERNETES | SPARK,
}
DAG_IDS = ["features_hourly", "maintenance", "parity_daily", "score_daily", "train_weekly"]


def recorded(name: str, found: Any) -> Any:
    """What is on record under that name; RECORD=1 records anew what was found."""
    path = Path(__file__).with_name("recorded") / f"{name}.json"
    if os.environ.get("RECORD") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n")
    return json.loads(path.read_text())


def rendered(airflow: Airflow, env: dict[str, str]) -> dict[str, Any]:
    env = SCHEDULES | env
    return {d: airflow.ask("rendered", env=env, dag_id=d, **INTERVAL) for d in DAG_IDS}


def test_the_dags_are_without_fault(airflow: Airflow) -> None:
    assert dag_faults(airflow, DAGS) == []


def test_the_structure_is_the_recorded_one(airflow: Airflow) -> None:
    found = airflow.ask("structure")["dags"]
    assert list(found) == DAG_IDS
    assert found == recorded("structure", found)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_runner_gets_the_recorded_commands(airflow: Airflow, runner: str) -> None:
    found = rendered(airflow, RUNNERS[runner])
    assert found == recorded(runner, found)


def test_every_command_is_one_that_the_command_line_has(airflow: Airflow) -> None:
    lockstep = typer.main.get_command(app)
    for tasks in rendered(airflow, {}).values():
        for task in tasks.values():
            program, *arguments = shlex.split(task["command"])
            assert program == "lockstep"
            parse(lockstep, arguments)


def parse(command: click.Command, arguments: list[str]) -> None:
    """Raises `UsageError` where the command line would refuse the arguments."""
    context = command.make_context(command.name, list(arguments))
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
        context = command.make_context(name, list(arguments), parent=context)


def test_a_use_case_has_tasks_of_its_own_and_waits_for_no_other(airflow: Airflow) -> None:
    env = SCHEDULES | {"LOCKSTEP_USE_CASES": "fraud, market"}
    for dag in airflow.ask("structure", env=env)["dags"].values():
        groups = {task_id.partition(".")[0] for task_id in dag["tasks"]}
        assert groups == {"fraud", "market"}
        for task_id, task in dag["tasks"].items():
            group = task_id.partition(".")[0]
            assert {name.partition(".")[0] for name in task["after"]} <= {group}
            assert f" {group} " in task["command"]


def test_another_interval_gives_other_commands_and_the_clock_gives_none(airflow: Airflow) -> None:
    other = {"start": "2018-04-01T00:00:00+00:00", "end": "2018-04-01T01:00:00+00:00"}
    for dag_id in DAG_IDS:
        commands = airflow.ask("rendered", dag_id=dag_id, **other)
        for task in commands.values():
            # Logs expire after three months, and drift is looked for over a week.
            known = {"2018-01", "2018-03", "2018-04"}
            assert set(re.findall(r"\d{4}-\d\d", task["command"])) <= known
            assert "2018-0" in task["command"]


@pytest.mark.parametrize("runner", ["docker", "kubernetes", "spark"])
def test_no_secret_is_shown_or_stored(airflow: Airflow, runner: str) -> None:
    secrets = {"REDIS_URL": "redis://jobs:unseen@redis:6379/0", "AWS_SECRET_ACCESS_KEY": "unseen"}
    env = RUNNERS[runner] | secrets
    assert "unseen" not in json.dumps(rendered(airflow, env)) + airflow.log
    assert "unseen" not in airflow.ask("serialized", env=SCHEDULES | env)


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("LOCKSTEP_USE_CASES", {}),
        ("LOCKSTEP_SCHEDULE_START", {}),
        ("LOCKSTEP_LANDING", {}),
        ("LOCKSTEP_JOBS_IMAGE", DOCKER),
        ("LOCKSTEP_DOCKER_NETWORK", DOCKER),
        ("LOCKSTEP_NAMESPACE", KUBERNETES),
        ("LOCKSTEP_SPARK_MASTER", KUBERNETES | SPARK),
    ],
)
def test_a_variable_that_is_not_set_is_named(
    airflow: Airflow, name: str, env: dict[str, str]
) -> None:
    env = {k: v for k, v in (SCHEDULES | env).items() if k != name}
    errors = airflow.ask("structure", env=env)["errors"]
    assert f"SettingError: {name} is not set; set it to " in errors["features_hourly.py"]


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({"LOCKSTEP_RUNNER": "kubernets"}, "LOCKSTEP_RUNNER is 'kubernets'; choose one of process"),
        ({"LOCKSTEP_ENGINE": "Spark"}, "LOCKSTEP_ENGINE is 'Spark'; choose one of local, spark"),
        ({"LOCKSTEP_USE_CASES": "fraud;x"}, "LOCKSTEP_USE_CASES has 'fraud;x'"),
        ({"LOCKSTEP_USE_CASES": "fraud,fraud"}, "LOCKSTEP_USE_CASES has 'fraud'"),
        ({"LOCKSTEP_SCHEDULE_START": "today"}, "LOCKSTEP_SCHEDULE_START is 'today'"),
        (DOCKER | {"LOCKSTEP_JOBS_IMAGE": "r:5000/jobs"}, "'r:5000/jobs', which names no version"),
        (DOCKER | {"LOCKSTEP_JOBS_IMAGE": "jobs:latest"}, "'jobs:latest', which names no version"),
        (SPARK, "LOCKSTEP_SPARK_MASTER is k8s://, whose executors must reach the driver"),
    ],
)
def test_a_variable_that_is_wrong_is_named(
    airflow: Airflow, env: dict[str, str], error: str
) -> None:
    assert error in airflow.ask("structure", env=SCHEDULES | env)["errors"]["features_hourly.py"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("        with TaskGroup(name):", "        with TaskGroup(name:", "SyntaxError"),
        ("0 * * * *", "61 * * * *", "features_hourly.py: .*61"),
        ("minutes=45", "minute=45", "features_hourly.py: TypeError: .*'minute'"),
        ("lockstep_online", "lockstep_onlin", "fraud.materialize: no pool 'lockstep_onlin' in"),
        (
            '"--at", END',
            '"--at", "{{ data_interval_begin }}"',
            "'data_interval_begin' is undefin",
        ),
        ("minutes=60,", "minutes=60, retries=0,", "features_hourly.py: TypeError: .*'retries'"),
    ],
)
def test_a_planted_mistake_is_found(
    airflow: Airflow, tmp_path: Path, old: str, new: str, fault: str
) -> None:
    shutil.copytree(ROOT / "airflow", tmp_path / "airflow")
    path = tmp_path / "airflow" / "dags" / "features_hourly.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    faults = "\n".join(dag_faults(airflow, path.parent))
    assert re.search(fault, faults), faults


def test_airflow_takes_the_pools(airflow: Airflow) -> None:
    declared = json.loads((ROOT / "airflow" / "pools.json").read_text())
    pools = airflow.ask("pools")
    assert {name: pool["slots"] for name, pool in declared.items()}.items() <= pools.items()


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.name)
def test_a_dag_is_thin_and_imports_nothing_of_the_project(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    assert not re.search(r"\b(now|today|utcnow)\(", text)
    sources = [text, *(p.read_text() for p in (DAGS / "lockstep_schedules").glob("*.py"))]
    ours = r"^\s*(from|import) (lockstep|feature_repo|training|serving)\b(?!_)"
    assert not any(re.search(ours, source, re.MULTILINE) for source in sources)
