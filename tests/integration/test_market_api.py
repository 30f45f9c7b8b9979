"""The market's API over a real Redis: stored bars, and bars that a request brings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from market_project import FEATURES, make_market
from market_served import (
    BAR,
    CUT,
    PREDICT,
    TICK,
    MarketProject,
    asked,
    decided_bars,
    joined,
    market_api,
    materialize,
    statuses_of,
    values_of,
)
from redis import Redis
from serving_client import problem
from starlette.testclient import TestClient

from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.redis_layout import rows_field

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def client(market: MarketProject) -> Iterator[TestClient]:
    with market_api(market) as running:
        yield running


@pytest.mark.parametrize("asset", [1, 2, 3])
def test_stored_bars_are_served_as_they_are_joined(
    market: MarketProject, client: TestClient, asset: int
) -> None:
    answer = asked(client, {"asset_id": asset, "event_timestamp": CUT.isoformat()})
    assert values_of(answer) == joined(market, CUT, asset)
    assert list(answer["features"]) == FEATURES
    assert answer["asset_id"] == asset
    assert set(answer["probabilities"]) == {"hold", "buy", "sell"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["decision"] in answer["probabilities"]


@pytest.mark.parametrize("asset", [1, 2, 3])
def test_with_a_candle_features_are_those_of_a_rebuild_bit_for_bit(
    market: MarketProject, client: TestClient, asset: int
) -> None:
    end = market.ends_after(asset, CUT)[0]
    before = asked(client, {"asset_id": asset, "event_timestamp": CUT.isoformat()})
    answer = asked(client, {"asset_id": asset, "candle": market.bar(asset, end)})
    assert datetime.fromisoformat(answer["event_timestamp"]) == end + TICK
    assert values_of(answer) == joined(market, end + TICK, asset)
    assert values_of(answer) != values_of(before)
    assert statuses_of(answer) <= {"PRESENT", "NULL"}
    assert {feature["age_seconds"] for feature in answer["features"].values()} == {0.0}
    is_warm = None not in values_of(answer).values()
    assert is_warm == (asset != 3)


def test_a_candle_is_served_as_redis_would_after_materialisation(
    market: MarketProject, client: TestClient
) -> None:
    """Values, statuses, ages, score and decision: the whole answer but its id."""
    end = market.ends_after(1, CUT)[0]
    with embedded_redis() as url:
        materialize(market.settings, url, end + TICK)
        later = MarketProject(market.settings, url, market.raw)
        with market_api(later) as rebuilt:
            stored = asked(rebuilt, {"asset_id": 1, "event_timestamp": (end + TICK).isoformat()})
    fresh = asked(client, {"asset_id": 1, "candle": market.bar(1, end)})
    assert {**fresh, "request_id": ""} == {**stored, "request_id": ""}


def rebuilt_without(
    market: MarketProject, folder: Path, left_out: datetime, asset: int
) -> MarketProject:
    """Another lake, in which one bar is missing."""
    end = pl.col("timestamp").dt.replace_time_zone("UTC") + BAR
    is_out = (end >= left_out) & (end < left_out + BAR) & (pl.col("asset_id") == asset)
    folder.mkdir(parents=True)
    market.raw.filter(~is_out).write_parquet(folder / "bars.parquet")
    settings = make_market(folder / "market", folder / "bars.parquet")
    return MarketProject(settings, market.redis_url, market.raw)


def test_a_candle_that_leaves_a_gap_is_one_after_a_gap(
    market: MarketProject, client: TestClient, tmp_path: Path
) -> None:
    missing, end = market.ends_after(1, CUT)[:2]
    assert end == missing + BAR
    answer = asked(client, {"asset_id": 1, "candle": market.bar(1, end)})
    without = rebuilt_without(market, tmp_path / "without", missing, 1)
    expected = joined(without, end + TICK, 1)
    assert values_of(answer) == expected
    assert expected != joined(market, end + TICK, 1)
    # Nobody knows whether there was a bar: as old as what the store vouches for.
    ages = {feature["age_seconds"] for name, feature in answer["features"].items() if "_" in name}
    assert (2 * BAR).total_seconds() - 1e-6 in {round(age, 6) for age in ages}


def test_far_past_what_the_store_vouches_for_values_are_stale(
    market: MarketProject, client: TestClient
) -> None:
    end = market.ends_after(1, CUT)[3]
    answer = asked(client, {"asset_id": 1, "candle": market.bar(1, end)})
    assert "STALE" in statuses_of(answer)
    assert answer["flags"] == ["STALE"]


def test_t_may_be_later_than_the_candle(market: MarketProject, client: TestClient) -> None:
    end = market.ends_after(1, CUT)[0]
    for later in (timedelta(minutes=90), BAR):
        body = {"asset_id": 1, "candle": market.bar(1, end)}
        t = end + TICK + later
        answer = asked(client, {**body, "event_timestamp": t.isoformat()})
        # Another bar has come by then; without it there is none of the last interval.
        assert (values_of(answer)["bar_range"] is None) == (later == BAR)
        expected = joined(market, end + TICK, 1)
        if later < BAR:
            assert values_of(answer) == expected
            ages = {f["age_seconds"] for n, f in answer["features"].items() if "_std_" in n}
            assert ages == {later.total_seconds() - 1e-6}


def test_an_unknown_asset_is_refused(market: MarketProject, client: TestClient) -> None:
    end = market.ends_after(1, CUT)[0]
    for body in ({"asset_id": 99}, {"asset_id": 99, "candle": market.bar(1, end)}):
        document = problem(client.post(PREDICT, json=body), 422)
        assert document["type"].endswith("rejected-status")
        assert "NOT_FOUND" in document["detail"]


def test_a_candle_that_is_not_newer_is_refused(market: MarketProject, client: TestClient) -> None:
    ends = decided_bars(market.settings).filter(
        pl.col("asset_id") == 1, pl.col("event_timestamp") <= CUT
    )["event_timestamp"]
    older, newest = (end - TICK for end in ends.to_list()[-2:])
    cases = {
        "is stored already": market.bar(1, newest),
        "is stored with other values": {**market.bar(1, newest), "volume": 1},
        "is older than the stored state": market.bar(1, older),
    }
    for message, candle in cases.items():
        body = {"asset_id": 1, "candle": candle, "event_timestamp": CUT.isoformat()}
        document = problem(client.post(PREDICT, json=body), 422)
        assert document["type"].endswith("not-newer")
        assert message in document["detail"]


def test_a_t_before_the_stored_state_is_refused(market: MarketProject, client: TestClient) -> None:
    body = {"asset_id": 1, "candle": market.bar(1, CUT - TICK - 3 * BAR)}
    document = problem(client.post(PREDICT, json=body), 422)
    assert document["type"].endswith("future-features")


def test_a_batch_takes_candles_beside_stored_bars(
    market: MarketProject, client: TestClient
) -> None:
    bodies: list[dict[str, Any]] = []
    for asset in (1, 2, 3):
        end = market.ends_after(asset, CUT)[0]
        bodies.append({"asset_id": asset, "event_timestamp": CUT.isoformat()})
        bodies.append({"asset_id": asset, "candle": market.bar(asset, end)})
    bodies.append({"asset_id": 1, "candle": {**market.bar(1, end), "high": 0}})
    bodies.append({"asset_id": 99})
    rows = client.post(f"{PREDICT}/batch", json={"rows": bodies}).json()["rows"]
    for body, row in zip(bodies[:6], rows, strict=False):
        alone = asked(client, body)
        assert {**row["prediction"], "request_id": ""} == {**alone, "request_id": ""}
    assert [row["problem"]["status"] for row in rows[6:]] == [422, 422]
    assert {error["field"] for error in rows[6]["problem"]["errors"]} == {"candle.high"}


def test_an_explanation_takes_a_candle_and_features_do_not(
    market: MarketProject, client: TestClient
) -> None:
    body = {"asset_id": 1, "candle": market.bar(1, market.ends_after(1, CUT)[0])}
    told = client.post("/v1/market/explain", json=body).json()
    assert told["prediction"]["features"] == asked(client, body)["features"]
    assert len(told["reasons"]) == len(FEATURES)
    document = problem(client.post("/v1/market/features", json=body), 422)
    assert [error["field"] for error in document["errors"]] == ["candle"]


@pytest.mark.parametrize("loss", ["deleted", "altered", "moved on"])
def test_without_the_rows_of_the_step_a_candle_is_not_answered(
    market: MarketProject, client: TestClient, loss: str
) -> None:
    """The comparison with a rebuild can fail: rows that are not the step's are not used."""
    field = rows_field("asset_trend")
    body = {"asset_id": 1, "candle": market.bar(1, market.ends_after(1, CUT)[0])}
    with Redis.from_url(market.redis_url) as redis:
        (key,) = (key for key in redis.scan_iter() if _is_of_asset(key, 1))
        kept = redis.hgetall(key)
        change = {"altered": b"", "moved on": kept[field][:16] + b"\1" + kept[field][17:]}
        try:
            if loss == "deleted":
                redis.hdel(key, field)
            else:
                redis.hset(key, field, change[loss])
            document = problem(client.post(PREDICT, json=body), 503)
            stored = asked(client, {"asset_id": 1, "event_timestamp": CUT.isoformat()})
        finally:
            redis.hset(key, mapping=kept)
    assert document["type"].endswith("not-materialized")
    assert "without the rows" in document["detail"]
    assert values_of(stored) == joined(market, CUT, 1)


def test_other_rows_beside_the_step_give_other_features(
    market: MarketProject, client: TestClient
) -> None:
    """What a candle is put on is what lies in Redis: a price altered there shows."""
    field, end = rows_field("asset_trend"), market.ends_after(1, CUT)[0]
    body = {"asset_id": 1, "candle": market.bar(1, end)}
    with Redis.from_url(market.redis_url) as redis:
        (key,) = (key for key in redis.scan_iter() if _is_of_asset(key, 1))
        kept = redis.hget(key, field)
        try:
            redis.hset(key, field, kept[:-40] + kept[-80:-40])
            altered = values_of(asked(client, body))
        finally:
            redis.hset(key, field, kept)
    assert altered != joined(market, end + TICK, 1) == values_of(asked(client, body))


def _is_of_asset(key: bytes, asset: int) -> bool:
    return b"asset_id" in key and key.endswith(asset.to_bytes(8, "little") + b"lockstep")
