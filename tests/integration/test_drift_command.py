"""`lockstep drift` over what a real API has logged, and planted drifts by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from audited_project import ANSWERED, Watched, watched
from fraud_project import Project
from serving_client import END, PREDICT, api, wait_until_ready
from typer.testing import CliRunner, Result

from lockstep.cli.main import app
from lockstep.contract.clock import SystemClock
from lockstep.contract.model_registry import model_registry
from lockstep.contract.registered_model import FoundVersion
from lockstep.parity.drift.look import ServedVersion, look_for_drift
from lockstep.parity.drift.profile import Profile
from lockstep.parity.drift.reference import Reference
from lockstep.parity.drift.registered import read_reference, registered_version
from lockstep.parity.drift.result import DriftResult, last_drift
from lockstep.parity.errors import DriftError, ServedLogError
from lockstep.parity.served_log import ServedLog
from lockstep.parity.service_views import ServiceViews

WEEK = timedelta(days=7)
TERMINAL = "terminal_windows"


@pytest.fixture
def system(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    with watched(project, tmp_path) as found:
        monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(found.settings.project_dir))
        monkeypatch.setenv("LOCKSTEP_MLFLOW_URI", project.settings.tracking_uri)
        found.materialize(END)
        yield found


@pytest.fixture
def week(project: Project) -> pl.DataFrame:
    """The transactions of the week after the cut."""
    t = pl.col("event_timestamp")
    found = project.transactions.filter(t > END, t < END + WEEK)
    assert found.height > 1_000
    return found


def serve(system: Watched, rows: pl.DataFrame, answered: datetime) -> None:
    """Asks for all rows at their own T."""
    t = pl.col("event_timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    bodies = rows.select("customer_id", "terminal_id", "amount_cents", t).to_dicts()
    with api(system.settings, system.url, answered, log_share=1.0) as client:
        wait_until_ready(client)
        for at in range(0, len(bodies), 500):
            answer = client.post(f"{PREDICT}/batch", json={"rows": bodies[at : at + 500]})
            assert answer.status_code == 200, answer.text


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "220"}).invoke(app, ["drift", "fraud", *arguments])


def found(system: Watched) -> DriftResult:
    result = last_drift(system.lake, "fraud")
    assert result is not None
    return result


def as_served(system: Watched) -> ServedVersion:
    """The champion, with what the log has as its reference."""
    log = ServedLog(system.lake, "fraud")
    views = ServiceViews.of(system.store, "fraud_v1")
    given = log.features("fraud_v1", log.days())
    profiles = {
        feature: Profile.of(given[column].cast(pl.Float64).fill_null(float("nan")).to_numpy())
        for view in views.listed
        for feature, column in zip(view.features, view.columns, strict=True)
    }
    scores = log.predictions(log.days(), "fraud_v1", ["score"]).get_column("score")
    return ServedVersion(1, "fraud_v1", Reference(profiles, Profile.of(scores.to_numpy()), 200.0))


def test_planted_drifts_are_named_and_nothing_else(system: Watched, week: pl.DataFrame) -> None:
    """Beside the same week as it was: a project of six weeks is another each week."""
    serve(system, week, ANSWERED)
    usual = as_served(system)
    t = pl.col("event_timestamp")
    planted = {
        "nothing": week,
        "amounts": week.with_columns(pl.col("amount_cents") * 3),
        "hours": week.with_columns(t.dt.truncate("1d") + timedelta(hours=3)),
        "terminals": week.with_columns(pl.col("terminal_id") + 10**6),
    }
    found: dict[str, DriftResult] = {}
    for days, (name, rows) in enumerate(planted.items(), 1):
        answered = ANSWERED + timedelta(days=days)
        serve(system, rows, answered)
        chosen = (answered.date(), answered.date())
        found[name] = look_for_drift(
            system.store, system.lake, "fraud", usual, chosen, SystemClock()
        )
        assert (found[name].rows, found[name].unjudged) == (week.height, [])
    names = {name: {d.name for d in result.exceeded} for name, result in found.items()}
    of_terminals = {d.name for d in found["nothing"].drifts if d.view == TERMINAL}
    assert names["nothing"] == set()
    assert names["amounts"] - {"score"} == {"tx_amount_cents", "tx_amount_to_mean_30d"}
    assert names["hours"] - {"score"} == {"tx_is_night"}
    assert names["terminals"] - {"score"} == of_terminals
    told = {tuple(d.statuses) for d in found["terminals"].drifts if d.view == TERMINAL}
    assert told == {("NOT_FOUND",)}


def test_what_the_log_lacks_is_not_called_the_same(system: Watched, week: pl.DataFrame) -> None:
    serve(system, week.head(600), ANSWERED)
    usual = as_served(system)
    system.lake.delete(system.lake.list("fraud/served_features/"))
    with pytest.raises(DriftError, match="are not in the log of 'fraud_v1'"):
        look_for_drift(system.store, system.lake, "fraud", usual, (None, None), SystemClock())


def test_the_receipt_the_page_and_the_exit_code(
    system: Watched, week: pl.DataFrame, tmp_path: Path
) -> None:
    serve(system, week.with_columns(pl.col("amount_cents") * 10), ANSWERED)
    page = tmp_path / "page.html"
    done = run("--html", str(page))
    assert done.exit_code == 1, done.output
    assert "have drifted" in done.output
    result = found(system)
    assert (result.rows, result.version, result.service) == (week.height, 1, "fraud_v1")
    assert result.rows_a_day[0] > 0
    assert DriftResult.from_json(result.as_json()) == result
    furthest = max(result.drifts, key=lambda drift: drift.psi)
    assert f"{furthest.name}: the share of rows up to each value" in page.read_text()


def test_too_few_rows_are_not_called_no_drift(system: Watched, week: pl.DataFrame) -> None:
    serve(system, week.head(100), ANSWERED)
    done = run()
    assert done.exit_code == 3, done.output
    assert "not judged: fewer than 500 rows" in done.output


def test_days_on_which_nothing_was_served_are_an_error(system: Watched, week: pl.DataFrame) -> None:
    serve(system, week.head(10), ANSWERED)
    assert isinstance(run("--until", "2017-01-01").exception, ServedLogError)
    (key,) = system.lake.list("fraud/predictions/")
    told = pl.read_parquet(system.lake.read_bytes(key))
    other = told.with_columns(pl.lit(2, pl.Int64).alias("model_version"))
    system.lake.write_parquet(key, other)
    with pytest.raises(DriftError, match="nothing that version 1 answered"):
        raise run().exception or AssertionError


def test_a_model_without_a_reference_is_not_judged(project: Project) -> None:
    """As those that an earlier release has registered."""
    uri = project.settings.tracking_uri
    assert registered_version(uri, "fraud", 1).reference.score.rows > 0
    with model_registry(uri) as client:
        (experiment,) = client.search_experiments(filter_string="name = 'fraud'")
        run = client.create_run(experiment.experiment_id)
    bare = FoundVersion(7, run.info.run_id, lambda: pytest.fail("nothing else is asked for"))
    with pytest.raises(DriftError, match="version 7 .* without a reference profile"):
        read_reference(uri, "fraud", bare)
