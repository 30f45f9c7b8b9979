"""The script of the CronJobs: which commands, with which interval, and what a failure does."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from k8s_manifests import K8S, Object, of_kind
from programs import program

from lockstep.cli.main import app

RUN = K8S / "cronjobs" / "run"
# Records what it is called with; exits with the code that CODES has for the command, else 0.
RECORDER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
for code in $CODES; do
  case "$*" in "${code%%=*}"*) exit "${code#*=}" ;; esac
done
"""


class Schedule:
    """Runs the script with programs that only record their arguments."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        for name in ("lockstep", "spark-submit"):
            path = folder / name
            path.write_text(RECORDER)
            path.chmod(0o755)
        self.path = f"{folder}:{os.environ['PATH']}"

    def run(self, name: str, at: datetime | str, codes: str = "", **variables: str) -> list[str]:
        """What was called; `self.ended` is how the script ended."""
        self.calls.write_text("")
        job = at if isinstance(at, str) else f"{name}-{int(at.timestamp()) // 60}"
        environment = {
            "PATH": self.path,
            "CALLS": str(self.calls),
            "CODES": codes,
            "LOCKSTEP_USE_CASES": "fraud",
            "LOCKSTEP_LANDING": "s3://landing/",
            "LOCKSTEP_SEARCH_TRIALS": "50",
            "LOCKSTEP_LOG_DAYS": "90",
        }
        self.ended = subprocess.run(
            ["/bin/sh", RUN, name, job],
            env=environment | variables,
            check=False,
            capture_output=True,
            text=True,
        )
        return self.calls.read_text().splitlines()


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    return Schedule(tmp_path)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


FEATURES = [
    "lockstep ingest fraud --from s3://landing/fraud/2026-03-01T06/ --allow-empty",
    "lockstep build fraud --start 2026-03-01T06:00:00Z --end 2026-03-01T07:00:00Z --cascade",
    "lockstep validate fraud --end 2026-03-01T07:00:00Z",
    "lockstep materialize fraud --start 2026-03-01T06:00:00Z --end 2026-03-01T07:00:00Z",
    "lockstep freshness fraud --at 2026-03-01T07:00:00Z",
]
SCORE = [
    "lockstep validate fraud --end 2026-03-01T00:00:00Z",
    "lockstep score fraud --date 2026-02-28",
]
PARITY = [
    "lockstep validate fraud --end 2026-03-01T00:00:00Z",
    "lockstep audit fraud --since 2026-02-28 --until 2026-02-28",
    "lockstep drift fraud --since 2026-02-22 --until 2026-02-28",
]
TRAIN = [
    "lockstep validate fraud --end 2026-03-02T00:00:00Z",
    "lockstep train fraud --as-of 2026-03-02T00:00:00Z --search 50 --once",
    "lockstep evaluate fraud --challenger --as-of 2026-03-02T00:00:00Z",
    "lockstep promote fraud --as-of 2026-03-02T00:00:00Z",
]
MAINTENANCE = [
    "lockstep log compact fraud --before 2026-03-01",
    "lockstep log expire fraud --before 2025-12-01",
    "lockstep ledger check fraud --at 2026-03-01T00:00:00Z",
]
RUNS = [
    ("features-hourly", utc(2026, 3, 1, 7, 5), FEATURES),
    ("features-hourly", utc(2026, 3, 1, 7, 0), FEATURES),
    ("features-hourly", utc(2026, 3, 1, 7, 59), FEATURES),
    ("score-daily", utc(2026, 3, 1, 1, 30), SCORE),
    ("parity-daily", utc(2026, 3, 1, 2, 0), PARITY),
    ("train-weekly", utc(2026, 3, 2, 3, 0), TRAIN),
    ("train-weekly", utc(2026, 3, 8, 23, 59), TRAIN),
    ("maintenance", utc(2026, 3, 1, 4, 0), MAINTENANCE),
]


@pytest.mark.parametrize(("name", "at", "calls"), RUNS)
def test_the_interval_is_the_scheduled_one(
    schedule: Schedule, name: str, at: datetime, calls: list[str]
) -> None:
    assert schedule.run(name, at) == calls
    assert schedule.ended.returncode == 0, schedule.ended.stderr


def parse(call: str) -> None:
    """Returns where the command line has such a command with such options; runs nothing."""
    context = typer.main.get_command(app).make_context("lockstep", shlex.split(call)[1:])
    while hasattr(context.command, "resolve_command"):
        words = [*context._protected_args, *context.args]
        _, command, rest = context.command.resolve_command(context, words)
        context = command.make_context(command.name, rest, parent=context)


@pytest.mark.parametrize("call", [*FEATURES, *SCORE, *PARITY, *TRAIN, *MAINTENANCE])
def test_the_command_line_takes_it(call: str) -> None:
    parse(call)


@pytest.mark.parametrize("wrong", ["lockstep builds fraud", "lockstep build fraud --begin x"])
def test_the_command_line_does_not_take_everything(wrong: str) -> None:
    with pytest.raises(Exception, match="No such"):
        parse(wrong)


@pytest.mark.parametrize("number", range(1, len(FEATURES) + 1))
def test_what_fails_stops_what_is_after_it(schedule: Schedule, number: int) -> None:
    failing = FEATURES[number - 1].split()[1]
    calls = schedule.run("features-hourly", utc(2026, 3, 1, 7, 5), codes=f"{failing}=2")
    assert calls == FEATURES[:number]
    assert schedule.ended.returncode == 1
    assert "features-hourly of fraud failed" in schedule.ended.stderr


def test_a_refusal_is_no_failure(schedule: Schedule) -> None:
    assert schedule.run("train-weekly", utc(2026, 3, 2, 3), codes="promote=3") == TRAIN
    assert schedule.ended.returncode == 0
    schedule.run("train-weekly", utc(2026, 3, 2, 3), codes="promote=2")
    assert schedule.ended.returncode == 1


@pytest.mark.parametrize(("code", "ended"), [(0, 0), (1, 1), (2, 1), (3, 0)])
def test_an_audit_that_could_not_check_all_is_no_failure(
    schedule: Schedule, code: int, ended: int
) -> None:
    assert schedule.run("parity-daily", utc(2026, 3, 1, 2), codes=f"audit={code}") == PARITY
    assert schedule.ended.returncode == ended


@pytest.mark.parametrize(("code", "ended"), [(0, 0), (1, 0), (2, 1), (3, 0)])
def test_a_drift_is_found_and_no_failure(schedule: Schedule, code: int, ended: int) -> None:
    assert schedule.run("parity-daily", utc(2026, 3, 1, 2), codes=f"drift={code}") == PARITY
    assert schedule.ended.returncode == ended


def test_a_use_case_that_fails_keeps_no_other_from_its_turn(schedule: Schedule) -> None:
    at = utc(2026, 3, 1, 1, 30)
    calls = schedule.run("score-daily", at, LOCKSTEP_USE_CASES="fraud,clicks", codes="validate=2")
    assert [call.split()[2] for call in calls] == ["fraud", "clicks"]
    assert schedule.ended.returncode == 1


def test_maintenance_looks_at_the_ledger_whatever_the_log_says(schedule: Schedule) -> None:
    calls = schedule.run("maintenance", utc(2026, 3, 1, 4), codes="log=2")
    assert [call.split()[1] for call in calls] == ["log", "ledger"]
    assert schedule.ended.returncode == 1


@pytest.mark.parametrize("job", ["features-hourly", "features-hourly-1x", "features-", ""])
def test_a_job_without_a_time_is_refused(schedule: Schedule, job: str) -> None:
    assert schedule.run("features-hourly", job) == []
    assert schedule.ended.returncode != 0


def test_an_unset_variable_is_named(schedule: Schedule) -> None:
    assert schedule.run("features-hourly", utc(2026, 3, 1, 7), LOCKSTEP_USE_CASES="") == []
    assert "LOCKSTEP_USE_CASES" in schedule.ended.stderr


def test_on_spark_the_pod_is_the_driver(schedule: Schedule) -> None:
    calls = schedule.run(
        *("features-hourly", utc(2026, 3, 1, 7, 5)),
        LOCKSTEP_ENGINE="spark",
        LOCKSTEP_SPARK_MASTER="k8s://https://kubernetes.default.svc",
        LOCKSTEP_NAMESPACE="lockstep",
        LOCKSTEP_JOBS_IMAGE="lockstep-jobs:1",
        POD_NAME="features-hourly-x",
        POD_IP="10.1.2.3",
    )
    (submitted,) = [call for call in calls if call.startswith("spark-submit ")]
    built = FEATURES[1].removeprefix("lockstep ")
    assert submitted.endswith(f"/app/lockstep/cli/__main__.py {built} --engine spark")
    assert "--conf spark.driver.host=10.1.2.3" in submitted
    assert [c for c in calls if c != submitted] == [c for c in FEATURES if c != FEATURES[1]]


def test_every_schedule_is_one_of_the_script(objects: list[Object]) -> None:
    cron_jobs = of_kind(objects, "CronJob")
    assert {c["metadata"]["name"] for c in cron_jobs} == {name for name, _, _ in RUNS}
    for cron_job in cron_jobs:
        (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == [cron_job["metadata"]["name"], "$(JOB)"]
        assert cron_job["spec"]["timeZone"] == "Etc/UTC"
        assert cron_job["spec"]["concurrencyPolicy"] == "Forbid"


def test_names_of_jobs_have_room_for_the_minutes(objects: list[Object]) -> None:
    longest = max(len(c["metadata"]["name"]) for c in of_kind(objects, "CronJob"))
    assert longest + len("-29700000") <= 63  # of a label


def test_scripts_are_clean() -> None:
    scripts = [RUN, K8S / "deploy", K8S / "overlays" / "local" / "make-secrets"]
    done = subprocess.run(
        [program("shellcheck"), *scripts], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_linter_sees_a_mistake(tmp_path: Path) -> None:
    planted = tmp_path / "run"
    planted.write_text(RUN.read_text().replace('"$minutes"', "$minutes_"))
    done = subprocess.run(
        [program("shellcheck"), planted], check=False, capture_output=True, text=True
    )
    assert "minutes_" in done.stdout
