"""`lockstep audit` as people and schedules call it: exit codes, receipt, page."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from audited_project import TICK, Watched, bodies, watched
from feast.protos.feast.types.Value_pb2 import Value
from fraud_project import Project
from serving_client import END
from typer.testing import CliRunner, Result

from feature_repo.discovery import feature_views
from lockstep.cli.errors import UsageError
from lockstep.cli.main import app
from lockstep.parity.audit_result import last_audit, last_look
from lockstep.parity.causes import Cause
from lockstep.stores.feast_layout import feature_field

T = END + 2 * TICK
LOST = 7


@pytest.fixture
def system(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A project of which twenty vectors were served."""
    with watched(project, tmp_path) as found:
        monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(found.settings.project_dir))
        found.materialize(END)
        found.serve(bodies(scored(project), T))
        yield found


def scored(project: Project) -> pl.DataFrame:
    return project.transactions.filter(pl.col("event_timestamp") > END).head(20)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["audit", "fraud", *arguments])


def test_what_is_all_the_same_exits_with_0(system: Watched, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run("--html", str(page), "--max-stale", "0")
    assert done.exit_code == 0, done.output
    assert "20 vectors compared: 20 are the same to the bit" in done.output
    kept = last_audit(system.lake, "fraud")
    assert kept is not None
    assert (kept.vectors, kept.is_whole) == (20, True)
    assert "20 vectors compared: 20 are the same to the bit" in page.read_text()


def test_what_differs_without_a_cause_exits_with_1(system: Watched, project: Project) -> None:
    key = system.hash_key(customer_id=scored(project)["customer_id"][0])
    wrong = Value(int64_val=99_999).SerializeToString()
    field = feature_field("customer_windows", "customer_tx_count_7d")
    system.redis.hset(key, field, wrong)
    system.serve(bodies(scored(project), T))
    done = run()
    assert done.exit_code == 1, done.output
    assert "not to be released: " in done.output
    assert "a step of the entity with other values than the lake has" in done.output


def test_staleness_beyond_the_budget_exits_with_1(system: Watched, project: Project) -> None:
    later = scored(project)["event_timestamp"].max()
    system.serve(bodies(scored(project), later), answered=later)
    done = run("--max-stale", "0.001")
    assert done.exit_code == 1, done.output
    assert "of the vectors are stale, and 0.10% may be" in done.output
    assert run("--max-stale", "1").exit_code == 0


def test_what_could_not_be_checked_exits_with_3(system: Watched) -> None:
    (features,) = system.lake.list("fraud/served_features/")
    rows = system.lake.read_parquet(features)
    system.lake.write_parquet(features, rows.head(20 - LOST))
    done = run()
    assert done.exit_code == 3, done.output
    assert f"{LOST} vectors not checked: predictions without features in the log" in done.output
    assert f"{20 - LOST} vectors compared" in done.output
    assert "not all could be checked" in done.output


def test_a_day_without_a_log_is_named(system: Watched) -> None:
    (key,) = system.lake.list("fraud/predictions/")
    day = key.split("day=")[1][:10]
    done = run("--since", "2018-05-01", "--until", day)
    assert done.exit_code == 3, done.output
    assert "there is no log of 2018-05-01" in done.output


def test_a_service_that_has_vanished_is_named(system: Watched) -> None:
    system.store.delete_feature_service("fraud_v1")
    done = run()
    assert done.exit_code == 1, done.output
    assert "20 vectors not checked: the feature service 'fraud_v1' is not in" in done.output
    assert "not to be released: nothing was compared" in done.output


def test_no_log_at_all_is_no_parity(project: Project, system: Watched) -> None:
    system.lake.delete(system.lake.list("fraud/predictions/"))
    done = run()
    assert done.exit_code == 1, done.output
    assert "the log has nothing of these days" in done.output


def test_entities_of_redis_are_audited_without_a_log(
    system: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", system.url)
    done = run("--online", "20")
    assert done.exit_code == 0, done.output
    kept = last_audit(system.lake, "fraud")
    assert kept is not None
    assert (kept.source, kept.is_whole) == ("the online store", True)
    assert kept.causes == {Cause.MATCH: 20 * len(feature_views("fraud"))}


def test_two_ways_at_once_are_refused() -> None:
    done = run("--online", "5", "--since", "2018-05-01")
    assert isinstance(done.exception, UsageError)
    assert "--online and --since or --until do not go together" in str(done.exception)


def test_a_watch_goes_on_until_it_is_told_to_end(system: Watched) -> None:
    """Of the log's rows, which are of 2018, none is of the last minutes."""
    command = [sys.executable, "-m", "lockstep.cli", "audit", "fraud", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "nothing was logged in the last minutes\n"
        account = last_look(system.lake, "fraud")
        assert account is not None
        assert (account.vectors, account.unchecked) == (0, {})
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=60) == 0
