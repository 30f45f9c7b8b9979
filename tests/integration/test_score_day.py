"""Batch scoring: the same scores and statuses as the API, one partition, the same bytes again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from feast_project import make_project
from fraud_project import DAYS, START, Project, materialize
from serving_client import PREDICT, api, wait_until_ready
from starlette.testclient import TestClient
from typer.testing import CliRunner

from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import TERMINAL_WINDOWS, WINDOW_SPECS
from lockstep.cli.main import app
from lockstep.contract.model_artefact import CHALLENGER
from lockstep.contract.model_registry import model_registry
from lockstep.contract.registered_model import NoModelError, load_model
from lockstep.errors import LockstepError
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.use_cases import UseCaseError
from training.errors import TrainingError
from training.score import ScoredDay, ScoringError, score_day

# Early enough for terminals without a verdict and cards without a transaction.
DAY = date(2018, 4, 10)
MIDNIGHT = datetime(2018, 4, 10, tzinfo=UTC)


@pytest.fixture
def scoring(project: Project, tmp_path: Path) -> Settings:
    """The trained project with a lake of its own; the model's files stay where they are."""
    settings = make_project(tmp_path / "scoring")
    shutil.copytree(project.settings.home_dir, settings.home_dir)
    return settings


@pytest.fixture(scope="module")
def client(project: Project) -> Iterator[TestClient]:
    """The API over a Redis that holds what was known at midnight."""
    with embedded_redis() as url:
        materialize(project.settings, url, MIDNIGHT)
        with api(project.settings, url, MIDNIGHT) as client:
            wait_until_ready(client)
            yield client


def score(
    settings: Settings, day: date = DAY, *, version: int | None = None, use_case: str = "fraud"
) -> ScoredDay:
    store = open_feature_store(settings)
    return score_day(
        settings, store, use_case, day, version=version, progress=lambda what, share: None
    )


def service(settings: Settings) -> str:
    """That of the champion."""
    return load_model(settings.tracking_uri, "fraud").predictor.artefact.feature_service


def predictions(settings: Settings, day: date = DAY) -> pl.DataFrame:
    return Lake.at(settings.lake).table("fraud/scored").read_day(day)


def of_day(project: Project, day: date = DAY) -> pl.DataFrame:
    return project.transactions.filter(pl.col("event_timestamp").dt.date() == day)


def unchanged_since_midnight(project: Project) -> pl.DataFrame:
    """The day's transactions whose entities have no step between midnight and T."""
    rows = of_day(project)
    for spec in WINDOW_SPECS:
        keys = list(spec.entity_keys)
        steps = Lake.at(project.settings.lake).table(spec.table).scan().collect()
        first = steps.filter(pl.col("event_timestamp") > MIDNIGHT).group_by(keys)
        rows = rows.join(first.agg(next_step=pl.col("event_timestamp").min()), on=keys, how="left")
        no_step = pl.col("next_step").is_null() | (pl.col("next_step") > pl.col("event_timestamp"))
        rows = rows.filter(no_step).drop("next_step")
    return rows


def test_scores_and_statuses_are_those_of_the_api(
    scoring: Settings, project: Project, client: TestClient
) -> None:
    score(scoring)
    scored = {row["transaction_id"]: row for row in predictions(scoring).iter_rows(named=True)}
    asked = unchanged_since_midnight(project)
    assert asked.height > 10
    seen = set()
    for row in asked.iter_rows(named=True):
        names = ("transaction_id", "customer_id", "terminal_id", "amount_cents")
        t = row["event_timestamp"].isoformat()
        body = {name: row[name] for name in names} | {"event_timestamp": t}
        answer = client.post(PREDICT, json=body).json()
        ours = scored[row["transaction_id"]]
        assert answer["model"]["version"] == ours["model_version"]
        for field in ("score", "decision", "threshold"):
            assert answer[field] == ours[field]
        for name, feature in answer["features"].items():
            assert feature["value"] == ours[name], name
            assert feature["status"] == ours[f"{name}__status"], name
            seen.add(feature["status"])
    assert {"PRESENT", "NULL", "NOT_FOUND"} <= seen


def test_the_partition_has_one_row_a_transaction_and_says_what_it_is(
    scoring: Settings, project: Project
) -> None:
    told = score(scoring)
    rows, expected = predictions(scoring), of_day(project)
    assert rows["transaction_id"].to_list() == expected["transaction_id"].to_list()
    names = ["transaction_id", "customer_id", "terminal_id", "event_timestamp", "created_timestamp"]
    assert rows.select(names).equals(expected.select(names))
    order = load_model(scoring.tracking_uri, "fraud").predictor.artefact.feature_order
    said = ["score", "decision", "outputs", "threshold", "model_version"]
    features = [column for name in order for column in (name, f"{name}__status")]
    assert rows.columns == [*names, *said, *features]
    assert not any(kind == pl.Null for kind in rows.dtypes)
    blocked = rows.filter(pl.col("score") >= pl.col("threshold"))
    assert blocked["decision"].unique().to_list() == ["block"]
    assert told.rows == rows.height
    assert told.decisions["block"] == blocked.height
    assert sum(told.decisions.values()) == rows.height
    statuses = pl.concat([rows[name] for name in rows.columns if name.endswith("__status")])
    counted = dict(statuses.value_counts().iter_rows())
    assert counted.pop("PRESENT") > 0
    assert told.statuses == counted


def test_a_value_is_there_exactly_where_its_status_says_so(scoring: Settings) -> None:
    score(scoring)
    rows = predictions(scoring)
    for name in (n.removesuffix("__status") for n in rows.columns if n.endswith("__status")):
        is_there = rows[f"{name}__status"].is_in(["PRESENT", "STALE"])
        assert rows[name].is_not_null().equals(is_there, check_names=False), name


def test_a_day_scored_again_is_the_same_bytes(scoring: Settings) -> None:
    def digest() -> str:
        table = Lake.at(scoring.lake).table("fraud/scored")
        return hashlib.sha256(table.lake.read_bytes(table.part(DAY))).hexdigest()

    first, before = score(scoring), digest()
    Lake.at(scoring.lake).table("fraud/scored").write_day(DAY, pl.DataFrame({"x": [1]}))
    assert (score(scoring), digest()) == (first, before)
    assert Lake.at(scoring.lake).table("fraud/scored").days() == [DAY]


def test_a_version_may_be_named(scoring: Settings) -> None:
    champion = load_model(scoring.tracking_uri, "fraud")
    assert score(scoring, version=champion.version) == score(scoring)
    with pytest.raises(NoModelError, match="no model 'fraud' with version 99"):
        score(scoring, version=99)


def test_without_a_champion_nothing_is_scored(untrained: Settings) -> None:
    with pytest.raises(NoModelError, match="alias 'champion'; run `lockstep train fraud`"):
        score(untrained)
    assert not Lake.at(untrained.lake).list("fraud/scored/")


def test_a_day_without_transactions_is_named_with_those_that_there_are(scoring: Settings) -> None:
    last = (START + timedelta(days=DAYS - 1)).date()
    expected = f"has no data for 2019-01-01; it has {START.date()} to {last}"
    with pytest.raises(LakeError, match=expected):
        score(scoring, date(2019, 1, 1))


def test_a_day_that_was_taken_back_whole_is_said_to_be(scoring: Settings) -> None:
    table = Lake.at(scoring.lake).table("fraud/transactions")
    rows = table.read_day(DAY)
    later = pl.col("created_timestamp") + timedelta(days=30)
    gone = rows.with_columns(later, is_deleted=pl.lit(True))
    table.write_day(DAY, pl.concat([rows, gone]))
    with pytest.raises(ScoringError, match=f"all rows of table 'fraud/transactions' on {DAY}"):
        score(scoring)


def test_a_day_past_the_horizon_is_refused_and_the_partition_stays(scoring: Settings) -> None:
    score(scoring)
    before = predictions(scoring)
    table = Lake.at(scoring.lake).table(TERMINAL_WINDOWS.table)
    noon = MIDNIGHT + timedelta(hours=12)
    table.write_metadata(table.metadata() | {"horizon": noon.isoformat()})
    expected = "the table of 'terminal_windows' is exact before 2018-04-10T12:00:00"
    with pytest.raises(TrainingError, match=expected):
        score(scoring)
    assert predictions(scoring).equals(before)


def test_a_model_whose_service_is_not_applied_is_refused(scoring: Settings) -> None:
    store, name = open_feature_store(scoring), service(scoring)
    store.apply([], objects_to_delete=[store.get_feature_service(name)], partial=False)
    with pytest.raises(TrainingError, match=f"no feature service '{name}'; run `feast apply`"):
        score(scoring)


def test_a_model_that_reads_what_its_service_lost_is_refused(scoring: Settings) -> None:
    from feast import FeatureService

    from feature_repo.definitions.fraud import customer_windows, transaction_features

    less = FeatureService(name=service(scoring), features=[customer_windows, transaction_features])
    open_feature_store(scoring).apply([less])
    expected = rf"model 'fraud' version \d reads \['.*'{less.name}' does not offer"
    with pytest.raises(ScoringError, match=expected):
        score(scoring)


def test_an_unknown_use_case_is_named(scoring: Settings) -> None:
    with pytest.raises(UseCaseError, match=r"no use case 'frauds'; known are .*'fraud'"):
        score(scoring, use_case="frauds")


def test_the_command_prints_rows_blocks_and_statuses(
    scoring: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with model_registry(scoring.tracking_uri) as client:
        challenger = client.get_model_version_by_alias("fraud", CHALLENGER).version
    done = _command(scoring, monkeypatch, "--model-version", str(challenger))
    assert done.exit_code == 0, done.output
    printed = done.output.split()
    rows = predictions(scoring)
    for word in ("rows", f"{rows.height:,}", "block", "NOT_FOUND", "NULL"):
        assert word in printed
    assert "PRESENT" not in printed


@pytest.mark.parametrize("day", ["yesterday", "2018-02-30", "2018-04-10T12:00:00"])
def test_a_date_that_is_none_is_a_usage_error(
    scoring: Settings, monkeypatch: pytest.MonkeyPatch, day: str
) -> None:
    done = _command(scoring, monkeypatch, day=day)
    assert done.exit_code == 2
    assert "Invalid value for '--date'" in done.output


def test_the_command_passes_typed_errors_on(
    untrained: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(_command(untrained, monkeypatch).exception, LockstepError)


def _command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *options: str, day: str = str(DAY)
) -> Any:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(settings.project_dir))
    return CliRunner().invoke(app, ["score", "fraud", "--date", day, *options])
