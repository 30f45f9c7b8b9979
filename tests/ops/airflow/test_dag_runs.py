"""Real runs of the DAGs over the embedded profile: what they leave behind, whatever happened."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
import redis
from airflow_process import Airflow
from mlflow import MlflowClient
from schedule_project import HOUR, HOURS, ScheduleProject, built_at_once, make_history
from served_day import ROWS, log_day

from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.parity.audit_result import last_audit
from lockstep.stores.embedded_redis import embedded_redis

pytestmark = pytest.mark.timeout(900)
SAME = f"{ROWS} vectors compared: {ROWS} are the same to the bit; not all could be checked"
OTHER = "not to be released: 1 vectors differ without a cause"
CHAIN = ["ingest", "build", "validate", "materialize", "freshness"]


@dataclass(frozen=True)
class Story:
    """Three hours that went wrong in turn: the answers of Airflow, its logs, and the tables."""

    project: ScheduleProject
    answers: dict[str, Any]
    logs: dict[str, str]
    horizons: dict[str, dict[str, datetime]]
    hashes: dict[str, dict[str, str]]
    online: dict[str, dict[bytes, dict[bytes, bytes]]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is built up to the first hour; to be copied."""
    folder = tmp_path_factory.mktemp("history")
    make_history(folder)
    return folder


@pytest.fixture(scope="module")
def story(
    airflow: Airflow, history: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """The first hour lands late, the second is killed while it builds, the third runs twice."""
    folder = tmp_path_factory.mktemp("story")
    shutil.copytree(history, folder, dirs_exist_ok=True)
    with embedded_redis(folder / "redis") as url:
        told = Story(ScheduleProject(folder, url), {}, {}, {}, {}, {})
        first, second, third = HOURS
        run(told, airflow, "nothing landed", first)
        told.project.land(second)
        run(told, airflow, "too early", second)
        told.project.land(first)
        run(told, airflow, "first", first)
        with ThreadPoolExecutor() as pool:
            killed = pool.submit(kill_build, airflow, told.project)
            run(told, airflow, "killed", second)
            killed.result()
        run(told, airflow, "second", second)
        told.project.land(third)
        run(told, airflow, "third", third)
        run(told, airflow, "third again", third)
        yield told


def run(story: Story, airflow: Airflow, name: str, hour: datetime) -> None:
    """Runs the schedule of an hour and notes what came of it."""
    project, end = story.project, (hour + HOUR).isoformat()
    story.answers[name] = airflow.ask(
        "run", env=project.environment, dag_id="features_hourly", end=end
    )
    story.logs[name] = airflow.log
    story.horizons[name] = project.horizons()
    story.hashes[name] = project.hashes()
    with redis.Redis.from_url(project.redis_url) as client:
        keys = [key for key in client.scan_iter() if client.type(key) == b"hash"]
        story.online[name] = {key: client.hgetall(key) for key in keys}


def kill_build(airflow: Airflow, project: ScheduleProject) -> None:
    """Kills the build as soon as it has moved the first table, so before it has moved them all."""
    record = Path(project.settings.lake) / WINDOW_SPECS[0].table / "_table.json"
    before = record.stat().st_mtime_ns
    while not (builds := builds_of(airflow)):
        time.sleep(0.01)
    while record.stat().st_mtime_ns == before and builds[0].is_running():
        pass
    builds[0].send_signal(signal.SIGKILL)


def builds_of(airflow: Airflow) -> list[psutil.Process]:
    children = psutil.Process(airflow.process.pid).children(recursive=True)
    return [child for child in children if is_build(child)]


def is_build(process: psutil.Process) -> bool:
    try:
        name, *arguments = process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess, ValueError):
        return False
    return "python" in name and "build" in arguments


def states(answer: dict[str, Any]) -> list[str]:
    return [answer["tasks"][f"fraud.{task}"] for task in CHAIN]


def test_an_hour_that_did_not_land_stops_the_run(story: Story) -> None:
    assert states(story.answers["nothing landed"]) == ["failed"] + 4 * ["upstream_failed"]
    missing = story.project.landing / f"{HOURS[0]:%Y-%m-%dT%H}"
    assert f"lockstep: there are no files at {missing}" in story.logs["nothing landed"]
    assert set(story.horizons["nothing landed"].values()) == {HOURS[0]}
    assert story.online["nothing landed"] == {}


def test_the_hour_after_it_is_not_built_and_says_which_comes_first(story: Story) -> None:
    assert states(story.answers["too early"]) == ["success", "failed"] + 3 * ["upstream_failed"]
    gap = "--start 2026-10-29 10:00 leaves a gap: fraud/customer_windows ends at 2026-10-29T09:00"
    assert gap in story.logs["too early"]
    assert set(story.horizons["too early"].values()) == {HOURS[0]}


@pytest.mark.parametrize(
    ("name", "hour"), [("first", HOURS[0]), ("second", HOURS[1]), ("third", HOURS[2])]
)
def test_a_run_again_completes(story: Story, name: str, hour: datetime) -> None:
    assert story.answers[name]["state"] == "success"
    assert story.answers[name]["interval"] == [str(hour), str(hour + HOUR)]
    assert states(story.answers[name]) == 5 * ["success"]
    assert set(story.horizons[name].values()) == {hour + HOUR}
    assert story.online[name]


def test_a_build_that_is_killed_half_way_stops_what_follows(story: Story) -> None:
    expected = ["success", "failed"] + 3 * ["upstream_failed"]
    assert states(story.answers["killed"]) == expected
    assert set(story.horizons["killed"].values()) == {HOURS[1], HOURS[2]}
    assert story.online["killed"] == story.online["first"]


def test_a_whole_run_again_changes_nothing(story: Story) -> None:
    assert states(story.answers["third again"]) == 5 * ["success"]
    assert story.hashes["third again"] == story.hashes["third"]
    assert story.online["third again"] == story.online["third"]


def test_hours_in_order_give_what_one_build_gives(
    story: Story, history: Path, tmp_path: Path
) -> None:
    shutil.copytree(history, tmp_path, dirs_exist_ok=True)
    at_once = built_at_once(ScheduleProject(tmp_path, "redis://127.0.0.1:1/0"))
    assert story.hashes["third"] == at_once


@pytest.fixture
def project(history: Path, tmp_path: Path) -> ScheduleProject:
    """A project of the test's own, with nothing online."""
    shutil.copytree(history, tmp_path, dirs_exist_ok=True)
    return ScheduleProject(tmp_path, "redis://127.0.0.1:1/0")


def versions(project: ScheduleProject) -> dict[str, int]:
    (model,) = MlflowClient(project.settings.tracking_uri).search_registered_models()
    return {alias: int(version) for alias, version in model.aliases.items()}


def test_a_refused_challenger_is_skipped_with_the_rules_in_the_log(
    airflow: Airflow, project: ScheduleProject
) -> None:
    ran = airflow.ask(
        "run", env=project.environment, dag_id="train_weekly", end="2026-10-26T00:00:00"
    )
    assert ran["state"] == "success"
    assert ran["tasks"] == {
        "fraud.validate": "success",
        "fraud.train": "success",
        "fraud.evaluate": "success",
        "fraud.promote": "skipped",
    }
    assert "average_precision gain above 0" in airflow.log
    assert "Refused: version 1 stays champion." in airflow.log
    assert versions(project) == {"champion": 1, "challenger": 2}


def test_a_day_is_scored(airflow: Airflow, project: ScheduleProject) -> None:
    ran = airflow.ask(
        "run", env=project.environment, dag_id="score_daily", end="2026-10-29T00:00:00"
    )
    assert ran["tasks"] == {"fraud.validate": "success", "fraud.score": "success"}
    day = HOURS[0].date() - timedelta(days=1)
    events = project.lake.table("fraud/transactions").read_day(day)
    scored = project.lake.table("fraud/scored").read_day(day)
    assert scored.height == events.height > 0


def test_a_day_that_is_not_built_is_not_scored(airflow: Airflow, project: ScheduleProject) -> None:
    ran = airflow.ask(
        "run", env=project.environment, dag_id="score_daily", end="2026-10-30T00:00:00"
    )
    assert ran["tasks"] == {"fraud.validate": "failed", "fraud.score": "upstream_failed"}
    assert "lockstep: fraud/customer_windows " in airflow.log
    assert not project.lake.table("fraud/scored").days()


@pytest.mark.parametrize(("add", "state", "says"), [(0, "skipped", SAME), (1, "failed", OTHER)])
def test_what_was_served_on_a_day_is_audited(
    airflow: Airflow, project: ScheduleProject, add: int, state: str, says: str
) -> None:
    """Of a project without a ledger not all is known; one altered value is found all the same."""
    day = HOURS[0].date() - timedelta(days=1)
    log_day(project, day, add=add)
    ran = airflow.ask(
        # A day of its own in each case: Airflow has one run an instant.
        "run",
        env=project.environment,
        dag_id="parity_daily",
        end=f"{HOURS[0]:%Y-%m-%d}T00:00:0{add}",
    )
    # A day of forty rows is too little to judge drift by.
    states = {"fraud.validate": "success", "fraud.audit": state, "fraud.drift": "skipped"}
    assert ran["tasks"] == states, airflow.log
    assert says in airflow.log
    assert "not judged: fewer than 500 rows" in airflow.log
    audit = last_audit(project.lake, "fraud")
    assert audit is not None
    assert (audit.vectors, audit.unexplained) == (ROWS, add)


def test_maintenance_compacts_forgets_and_reads_the_ledger(
    airflow: Airflow, story: Story, project: ScheduleProject
) -> None:
    log = Path(project.settings.lake) / "fraud" / "predictions"
    for day, objects in {"2026-07-01": 1, "2026-10-27": 3}.items():
        for number in range(objects):
            path = log / f"day={day}" / f"{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pl.DataFrame({"request_id": [f"{day}-{number}"]}).write_parquet(path)
    done = Path(story.project.settings.lake) / "_ledger"
    shutil.copytree(done, Path(project.settings.lake) / "_ledger")
    ran = airflow.ask(
        "run", env=project.environment, dag_id="maintenance", end="2026-10-30T00:00:00"
    )
    assert ran["state"] == "success", airflow.log
    (day,) = log.iterdir()
    (compacted,) = day.glob("*.parquet")
    assert pl.read_parquet(compacted).height == 3
    assert "materialisations are on record" in airflow.log
