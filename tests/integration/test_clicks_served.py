"""Clicks, generated and real: what is served equals the offline join, and nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clicks_project import ClicksProject, clicks_project, generated_file
from redis import Redis
from serving_client import api, problem, wait_until_ready
from starlette.testclient import TestClient

from feature_repo.store import open_feature_store
from feature_repo.windows.clicks import WINDOW_SPECS
from lockstep.cli.demo_parts.proof import Proof, prove
from lockstep.cli.demo_parts.requests import bodies, events_after
from lockstep.contract.clicks import SCORED_EVENTS
from lockstep.lake.lake import Lake
from lockstep.parity.compare import recompute_at
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.leak import LeakError, assert_no_leak
from training.score import score_day
from training.split import plan_split
from training.split_rules import SplitRules
from training.use_case import LABEL_KNOWN_AT, load_use_case

pytestmark = pytest.mark.timeout(600)

PREDICT = "/v1/clicks/predict"
REAL = pytest.param("real", marks=pytest.mark.realdata)
CUTS = {
    "generated": datetime(2017, 11, 11, 12, tzinfo=UTC),
    "real": datetime(2017, 11, 9, 15, tzinfo=UTC),
}


@pytest.fixture(scope="module", params=["generated", REAL])
def project(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClicksProject]:
    folder, name = tmp_path_factory.mktemp("clicks"), request.param
    if name == "real":
        file: Path = request.getfixturevalue("real_data_dir") / "talkingdata_100k.csv"
    else:
        file = generated_file(folder)
    with embedded_redis() as url:
        yield clicks_project(folder / "project", file, url, cut=CUTS[name])


@pytest.fixture(scope="module")
def client(project: ClicksProject) -> Iterator[TestClient]:
    with api(project.settings, project.redis_url, project.cut) as running:
        wait_until_ready(running)
        yield running


@pytest.fixture(scope="module")
def clicks(project: ClicksProject) -> pl.DataFrame:
    return events_after(Lake.at(project.settings.lake), SCORED_EVENTS, project.cut, 300)


def served(client: TestClient, clicks: pl.DataFrame) -> list[dict[str, Any]]:
    answers = [client.post(PREDICT, json=body) for body in bodies(SCORED_EVENTS, clicks)]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json() for answer in answers]


def proof_of(project: ClicksProject, client: TestClient, clicks: pl.DataFrame) -> Proof:
    return prove(project.settings, "clicks", clicks, served(client, clicks))


def test_served_equals_the_offline_join_bit_for_bit(
    project: ClicksProject, client: TestClient, clicks: pl.DataFrame
) -> None:
    proof = proof_of(project, client, clicks)
    assert proof.comparison.mismatches == ()
    features = len(served(client, clicks.head(1))[0]["features"])
    assert proof.comparison.compared == 300 * features
    # Else hardly anything was compared: clicks of unknown keys have nothing but nulls.
    assert proof.comparison.both_null < proof.comparison.compared / 2


def test_asked_at_the_cut_every_row_equals_the_join_at_t(
    project: ClicksProject, client: TestClient, clicks: pl.DataFrame
) -> None:
    """A minute later most rows have moved on, since busy keys have a step every minute."""
    at = pl.lit(project.cut).cast(clicks.schema[EVENT_TIMESTAMP])
    asked = clicks.with_columns(
        at.alias(EVENT_TIMESTAMP), at.dt.timestamp("us").alias(SCORED_EVENTS.time_column)
    )
    proof = proof_of(project, client, asked)
    assert (proof.at_cut, proof.rows) == (0, 300)
    assert proof.comparison.mismatches == ()


def test_a_value_altered_in_redis_is_found(
    project: ClicksProject, client: TestClient, clicks: pl.DataFrame
) -> None:
    """The check can fail: one app in one channel gets the hash of another."""
    with Redis.from_url(project.redis_url) as redis:
        victim, other = (_key_of(redis, row) for row in _placements(redis, clicks)[:2])
        kept = redis.hgetall(victim)
        redis.hset(victim, mapping=redis.hgetall(other))
        try:
            proof = proof_of(project, client, clicks)
        finally:
            redis.hset(victim, mapping=kept)
    assert proof.comparison.mismatches
    assert {m.feature.startswith("app_channel_") for m in proof.comparison.mismatches} == {True}


def _placements(redis: Any, clicks: pl.DataFrame) -> list[tuple[int, int]]:
    pairs = clicks.group_by("app", "channel").len().sort("len", "app", descending=True)
    found = pairs.select("app", "channel").rows()
    return [pair for pair in found if redis.exists(_key_of(redis, pair))]


def _key_of(redis: Any, pair: tuple[int, int]) -> bytes:
    """The key of an app in a channel, by the published layout and no code of ours."""
    names = b"".join(_field(2, name) for name in (b"app", b"channel"))
    values = b"".join(_field(4, value.to_bytes(8, "little")) for value in pair)
    return (2).to_bytes(4, "little") + names + values + b"lockstep"


def _field(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data


def test_an_unknown_click_is_scored_and_says_so(client: TestClient) -> None:
    body = dict.fromkeys(SCORED_EVENTS.entity_keys, 10**12) | {"click_id": 5}
    answer = client.post(PREDICT, json=body).json()
    assert (answer["click_id"], answer["decision"] in {"bid", "pass"}) == (5, True)
    statuses = {n: f["status"] for n, f in answer["features"].items()}
    assert {s for n, s in statuses.items() if "_count_" in n} == {"NOT_FOUND"}
    assert statuses["click_weekday"] == "PRESENT"


def test_the_log_has_every_key_and_what_was_served(
    project: ClicksProject, clicks: pl.DataFrame, tmp_path: Path
) -> None:
    place = project.settings.model_copy(update={"lake_uri": str(tmp_path)})
    asked = clicks.head(5)
    with api(place, project.redis_url, project.cut, log_share=1.0) as client:
        wait_until_ready(client)
        answers = {answer["request_id"]: answer for answer in served(client, asked)}
    logged = pl.read_parquet(tmp_path / "clicks" / "served_features" / "clicks_v1" / "**/*.parquet")
    keys = list(SCORED_EVENTS.entity_keys)
    assert sorted(logged.select(keys).rows()) == sorted(asked.select(keys).rows())
    for row in logged.to_dicts():
        features = answers[row["__request_id"]]["features"]
        value = features["app_channel_click_count_1d"]["value"]
        assert row["app_channel_clicks__app_channel_click_count_1d"] == value


def test_batch_scores_are_those_of_the_api(
    project: ClicksProject, client: TestClient, clicks: pl.DataFrame
) -> None:
    day = project.cut.date()
    scored = score_day(
        project.settings,
        open_feature_store(project.settings),
        "clicks",
        day,
        progress=lambda what, share: None,
    )
    table = Lake.at(project.settings.lake).table("clicks/scored").read_day(day)
    assert scored.rows == table.height > 300
    # A click whose keys have not moved on since the cut has the score that the API gives it.
    lake = Lake.at(project.settings.lake)
    tables = [(spec, lake.table(spec.table).scan()) for spec in WINDOW_SPECS]
    still = clicks.filter(recompute_at(clicks, tables) == clicks[EVENT_TIMESTAMP])
    assert still.height > 0
    batch = still.join(table, on="click_id", how="left", maintain_order="left")
    assert batch["score"].to_list() == [answer["score"] for answer in served(client, still)]


@pytest.mark.parametrize("key", SCORED_EVENTS.entity_keys)
def test_an_id_below_zero_is_refused(client: TestClient, key: str) -> None:
    body = dict.fromkeys(SCORED_EVENTS.entity_keys, 1) | {key: -1}
    document = problem(client.post(PREDICT, json=body), 422)
    assert key in str(document["errors"])


def test_training_knew_nothing_that_the_test_asks(project: ClicksProject) -> None:
    use_case = load_use_case("clicks")
    rows = use_case.entity_rows(Lake.at(project.settings.lake), project.cut)
    assert rows[LABEL_KNOWN_AT].max() <= project.cut  # type: ignore[operator]
    split = plan_split(rows, load_use_case("clicks").task, SplitRules(test_days=1)).split(rows)
    assert_no_leak(split, row_id="click_id", as_of=project.cut)
    # The check can fail: one label of the fit that comes after the test has begun.
    late = pl.lit(split.test[EVENT_TIMESTAMP].max())
    first = pl.int_range(pl.len()) == 0
    known = pl.when(first).then(late).otherwise(LABEL_KNOWN_AT).alias(LABEL_KNOWN_AT)
    leaky = rows.filter(pl.col("click_id").is_in(split.train["click_id"].implode()))
    split = replace(split, train=leaky.with_columns(known))
    with pytest.raises(LeakError, match="a label of the fit became known"):
        assert_no_leak(split, row_id="click_id", as_of=project.cut)
