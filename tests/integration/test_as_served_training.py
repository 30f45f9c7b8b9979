"""Training on what was served: what Redis held at T, not what the lake knows of T."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest
from fraud_project import Project, materialize
from typer.testing import CliRunner, Result

from feature_repo.store import open_feature_store
from lockstep.cli.main import app
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.ledger import rows_of
from lockstep.stores.online_read import statuses
from lockstep.stores.online_reader import OnlineReader
from lockstep.stores.plan_compiler import read_plan
from lockstep.stores.visibility import Recorded, Scheduled
from lockstep.windows.microseconds import microseconds

MIDNIGHT = datetime(2018, 5, 11, tzinfo=UTC)
FINISHED = MIDNIGHT + timedelta(minutes=5)
VIEWS = ("customer_windows", "terminal_windows", "customer_daily", "terminal_daily")
HOURLY = Scheduled(timedelta(hours=1))


class Then:
    """The clock of someone who materialised in 2018."""

    def now(self) -> datetime:
        return FINISHED


@pytest.fixture(scope="module")
def materialized(project: Project) -> Iterator[str]:
    with embedded_redis() as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr("lockstep.stores.engine.SystemClock", Then)
        materialize(project.settings, url, MIDNIGHT)
        yield url


@pytest.fixture
def scored(project: Project) -> pl.DataFrame:
    """Transactions of the days after the materialisation."""
    t = pl.col("event_timestamp")
    after = project.transactions.filter(t >= FINISHED, t < FINISHED + timedelta(days=2.5))
    rows = after.gather_every(3).select("customer_id", "terminal_id", "event_timestamp")
    assert rows.height > 100
    return rows


def test_the_join_sees_what_redis_holds_with_its_status(
    project: Project, materialized: str, scored: pl.DataFrame
) -> None:
    store, lake = open_feature_store(project.settings), Lake.at(project.settings.lake)
    views = [store.get_feature_view(name) for name in VIEWS]
    ledger = Recorded({name: rows_of(lake, store.project, name) for name in VIEWS})
    asked = [f"{view.name}:{feature.name}" for view in views for feature in view.features]
    job = store.get_historical_features(
        entity_df=scored.to_arrow(), features=asked, full_feature_names=True
    )
    joined = pl.DataFrame(job.with_statuses().as_served(ledger).to_arrow())
    exact = pl.DataFrame(job.to_arrow())

    async def read() -> list[list[dict[str, Any]]]:
        reader = OnlineReader(materialized, read_plan(store.project, views))
        try:
            return [await reader.read([row]) for row in scored.drop("event_timestamp").to_dicts()]
        finally:
            await reader.close()

    seen = set()
    for row, (held,) in zip(joined.iter_rows(named=True), asyncio.run(read()), strict=True):
        for name in VIEWS:
            for feature, value in statuses(
                [held[name]], microseconds(row["event_timestamp"])
            ).items():
                assert row[f"{name}__{feature}__status"] == value.status, (name, feature, row)
                assert row[f"{name}__{feature}"] == value.value, (name, feature, row)
                seen.add(value.status.value)
    assert {"PRESENT", "EXPIRED", "STALE"} <= seen
    # Else nothing would have been shown: at T the lake knows more.
    assert not joined.select(exact.columns).equals(exact)


def test_a_join_as_served_says_so_and_an_exact_one_is_what_it_was(
    project: Project, scored: pl.DataFrame
) -> None:
    store = open_feature_store(project.settings)
    job = store.get_historical_features(
        entity_df=scored.to_arrow(), features=["customer_windows:customer_tx_count_1d"]
    )
    served = job.as_served(HOURLY)
    assert served.receipt_of(served.to_polars()).visibility == "every 1h"
    assert job.receipt_of(job.to_polars()).visibility is None
    at_the_hour = pl.col("event_timestamp").dt.truncate("1h") - timedelta(microseconds=1)
    cut = scored.with_columns(at_the_hour)
    then = store.get_historical_features(
        entity_df=cut.to_arrow(), features=["customer_windows:customer_tx_count_1d"]
    )
    assert (
        served.to_polars().drop("event_timestamp").equals(then.to_polars().drop("event_timestamp"))
    )


def lockstep(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))


@pytest.fixture
def here(untrained: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(untrained.project_dir))
    return untrained


def test_a_model_is_trained_on_what_was_served(here: Settings) -> None:
    done = lockstep("train", "fraud", "--iterations", "5", "--as-served", "1d+30m")
    assert done.exit_code == 0, done.output
    mlflow.set_tracking_uri(here.tracking_uri)
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.data.params["as_served"] == "every 1d, visible 30m later"
    (receipt,) = Path(here.home_dir).rglob("dataset.json")
    assert json.loads(receipt.read_text())["visibility"] == run.data.params["as_served"]
    exact, served = (
        lockstep("evaluate", "fraud", *options).output for options in ((), ("--as-served", "30d"))
    )
    assert "average_precision" in exact
    assert exact != served
    again = lockstep("train", "fraud", "--iterations", "5", "--seed", "1")
    assert again.exit_code == 0, again.output
    judged = lockstep("promote", "fraud", "--as-served", "1d", "--force")
    assert judged.exit_code == 0, (judged.output, judged.exception)
    (evidence,) = Path(here.home_dir).rglob("promotion/2.json")
    assert json.loads(evidence.read_text())["as_served"] == "every 1d"


def test_a_ledger_that_begins_after_the_rows_needs_a_schedule(
    here: Settings, materialized: str, project: Project
) -> None:
    ledger = Lake.at(project.settings.lake)
    for key in ledger.list("_ledger/"):
        Lake.at(here.lake).write_bytes(key, ledger.read_bytes(key))
    early = lockstep("train", "fraud", "--iterations", "5", "--as-served", "ledger")
    assert early.exit_code != 0
    assert "such as 'ledger,1h'" in str(early.exception)
    done = lockstep("train", "fraud", "--iterations", "5", "--as-served", "ledger,1h")
    assert done.exit_code == 0, (done.output, done.exception)


@pytest.mark.parametrize("text", ["", "hourly", "1h+", "+1h", "0h", "ledger,soon", "1h,ledger"])
def test_what_is_no_schedule_is_refused(here: Settings, text: str) -> None:
    done = lockstep("train", "fraud", "--as-served", text)
    assert done.exit_code == (0 if text == "" else 2)


def test_the_cost_of_freshness_is_told_and_drawn(here: Settings, tmp_path: Path) -> None:
    plot = tmp_path / "cost.png"
    schedules = ("--schedule", "1h", "--schedule", "20d")
    options = ("--iterations", "20", "--plot", str(plot))
    done = lockstep("freshness-cost", "fraud", *schedules, *options)
    assert done.exit_code == 0, (done.output, done.exception)
    rows = {
        cells[1].strip(): cells[2:4]
        for line in done.output.splitlines()
        if len(cells := line.split("│")) > 3
    }
    assert set(rows) == {"exact", "1h", "20d"}
    assert rows["exact"][1].strip() == ""

    def number(cell: str) -> float:
        return float(cell.split()[0])

    for name in ("1h", "20d"):
        against = number(rows[name][0]) - number(rows["exact"][0])
        assert number(rows[name][1]) == pytest.approx(against, abs=0.002)
    # Three weeks old windows say next to nothing of a card or a terminal.
    assert number(rows["20d"][1]) < number(rows["1h"][1])
    assert number(rows["20d"][1]) < 0
    assert plot.read_bytes().startswith(b"\x89PNG")
