"""The commands that schedules call, on a real Redis: what they print, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feast_project import HOUR, T0, TICK, apply_definitions, write_steps
from raw_transactions import good_rows, write_parquet
from typer.testing import CliRunner, Result

from lockstep.cli.main import app
from lockstep.errors import LockstepError
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.ledger import Beginning, append

END = T0 + 72 * HOUR
VIEWS = ("customer_windows", "terminal_windows")


@pytest.fixture
def project(handwritten: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two tables that were built up to END, applied; nothing is materialised."""
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(handwritten.project_dir))
    monkeypatch.setenv("REDIS_URL", redis_url)
    apply_definitions(handwritten)
    return handwritten


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))


def done(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def refused(*arguments: str) -> str:
    error = run(*arguments).exception
    assert isinstance(error, LockstepError), error
    return str(error)


def materialize(start: str = "2018-04-01", end: str = END.isoformat()) -> str:
    return done("materialize", "fraud", "--start", start, "--end", end)


def test_one_use_case_is_materialised_and_shown(project: Settings) -> None:
    shown = materialize()
    for view in VIEWS:
        (line,) = [row for row in shown.splitlines() if row.startswith(f"│ {view} ")]
        assert "2018-04-04 00:00:00" in line
        assert [cell.strip() for cell in line.split("│")[4:7]] == ["2", "2", "0"]
    assert "asset_bar" not in shown


def test_what_is_fresh_enough_is_told_from_what_is_not(project: Settings) -> None:
    assert "customer_windows was never materialised" in refused("freshness", "fraud")
    materialize()
    # Two days are allowed, to the microsecond.
    latest = END + timedelta(days=2)
    shown = done("freshness", "fraud", "--at", latest.isoformat())
    assert "2 days, 0:00:00" in shown
    words = refused("freshness", "fraud", "--at", (latest + TICK).isoformat())
    assert "customer_windows is 2 days, 0:00:00.000001 behind where 2 days, 0:00:00" in words
    assert "run `lockstep materialize`" in words


def test_nothing_is_fresh_where_nothing_was_built(project: Settings) -> None:
    assert "no view's table was ever built" in refused("freshness", "market")


def test_every_materialisation_is_on_record(project: Settings) -> None:
    at = ("--at", "2100-01-01")
    assert "no materialisation of view 'customer_windows'" in refused(
        "ledger", "check", "fraud", *at
    )
    materialize()
    write_steps(project, horizon=END + HOUR)
    materialize(END.isoformat(), (END + HOUR).isoformat())
    shown = done("ledger", "check", "fraud", *at)
    assert "4 materialisations are on record" in shown
    assert "2018-04-04 01:00:00" in shown
    early = refused("ledger", "check", "fraud", "--at", "2018-01-01")
    assert "no materialisation of view 'customer_windows' up to 2018-01-01" in early
    until_then = done("ledger", "check", "fraud", "--at", END.isoformat())
    assert "2 materialisations are on record" in until_then


def test_a_run_that_broke_off_is_named(project: Settings) -> None:
    materialize()
    lake, at = Lake.at(project.lake), ("--at", END.isoformat())
    later = datetime(2100, 1, 1, tzinfo=UTC)
    broken = Beginning("lockstep", "customer_windows", later, END - TICK, "d")
    append(lake, broken)
    shown = done("ledger", "check", "fraud", *at)
    assert "customer_windows: the one begun at 2100-01-01 00:00:00 has not ended" in shown
    # Not one after which another came to its end, nor one of a later hour.
    append(lake, replace(broken, started=T0))
    append(lake, replace(broken, started=later + HOUR, covered_end=END))
    assert done("ledger", "check", "fraud", *at) == shown


def test_a_record_that_was_cut_off_is_named(project: Settings) -> None:
    materialize()
    lake = Lake.at(project.lake)
    _begun, key = lake.list("_ledger/lockstep/terminal_windows/")
    lake.write_bytes(key, lake.read_bytes(key)[:40])
    words = refused("ledger", "check", "fraud", "--at", "2100-01-01")
    assert f"the ledger's record {lake.address(key)} cannot be read" in words


def test_a_quiet_hour_is_fine_only_where_it_is_said_to_be(project: Settings) -> None:
    hour = project.project_dir / "landing"
    assert "landing" in refused("ingest", "fraud", "--from", str(hour))
    hour.mkdir()
    write_parquet(hour / "hour.parquet", good_rows(1).clear())
    assert "--allow-empty says that there was none" in refused(
        "ingest", "fraud", "--from", str(hour)
    )
    quiet = done("ingest", "fraud", "--from", str(hour), "--allow-empty")
    assert quiet == f"nothing to add: {hour} has no rows\n"
    refused("ingest", "fraud", "--from", str(hour / "other"), "--allow-empty")


def test_a_variable_that_is_not_set_is_named(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = project.feature_repo_dir / "feature_store.cluster.yaml"
    monkeypatch.setenv("FEAST_FS_YAML_FILE_PATH", str(cluster))
    monkeypatch.delenv("FEAST_REGISTRY_URL", raising=False)
    for command in (
        ("materialize", "fraud", "--start", "2018-04-01", "--end", "2018-04-02"),
        ("freshness", "fraud"),
        ("apply",),
    ):
        words = refused(*command)
        assert words == f"{cluster} uses ${{FEAST_REGISTRY_URL}}, which is not set; " + (
            "set FEAST_REGISTRY_URL"
        )


def test_finished_days_of_the_log_are_compacted_and_todays_is_not(project: Settings) -> None:
    assert "0 days compacted" in done("log", "compact", "fraud", "--before", "2020-01-01")
    words = refused("log", "compact", "fraud", "--before", "2100-01-01")
    assert "takes days that are not over" in words
    assert "0 days deleted" in done("log", "expire", "fraud", "--before", "2020-01-01")
    assert "takes days that are not over" in refused(
        "log", "expire", "fraud", "--before", "2100-01-01"
    )


def test_the_profile_of_the_cluster_differs_in_the_registry_alone() -> None:
    import yaml
    from feast_project import REPOSITORY

    own, cluster = (
        yaml.safe_load(Path(REPOSITORY / name).read_text())
        for name in ("feature_store.yaml", "feature_store.cluster.yaml")
    )
    assert cluster.pop("registry")["registry_type"] == "sql"
    del own["registry"]
    assert own == cluster
