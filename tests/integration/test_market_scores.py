"""The market's scores, in batch and in the log: those of the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from market_served import (
    CUT,
    TICK,
    MarketProject,
    asked,
    decided_bars,
    market_api,
)
from starlette.testclient import TestClient

from feature_repo.store import open_feature_store
from lockstep.cli.demo_parts.champion import has_champion
from lockstep.lake.lake import Lake
from training.score import score_day

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def client(market: MarketProject) -> Iterator[TestClient]:
    with market_api(market) as running:
        yield running


def test_the_log_has_what_was_served_with_a_candle(market: MarketProject, tmp_path: Path) -> None:
    end = market.ends_after(1, CUT)[0]
    settings = market.settings.model_copy(update={"lake_uri": str(tmp_path)})
    place = MarketProject(settings, market.redis_url, market.raw)
    with market_api(place, log_share=1.0) as client:
        fresh = asked(client, {"asset_id": 1, "candle": market.bar(1, end)})
        asked(client, {"asset_id": 1, "event_timestamp": CUT.isoformat()})
    folder = tmp_path / "market"
    logged = pl.read_parquet(folder / "served_features" / "market_v1" / "**/*.parquet")
    (row,) = logged.filter(pl.col("__request_id") == fresh["request_id"]).to_dicts()
    for name, feature in fresh["features"].items():
        (column,) = (c for c in row if c.endswith(f"__{name}"))
        assert row[column] == feature["value"]
    assert row["decision_time_us"] == int((end + TICK).timestamp() * 1e6)
    told = pl.read_parquet(folder / "predictions" / "**/*.parquet")
    (outcome,) = told.filter(pl.col("request_id") == fresh["request_id"]).to_dicts()
    assert outcome["score"] == fresh["score"]


def test_batch_scores_are_those_of_the_api(market: MarketProject, client: TestClient) -> None:
    day = CUT.date()
    scored = score_day(
        market.settings,
        open_feature_store(market.settings),
        "market",
        day,
        progress=lambda what, share: None,
    )
    table = Lake.at(market.settings.lake).table("market/scored").read_day(day)
    assert scored.rows == table.height > 10
    compared = 0
    for row in table.iter_rows(named=True):
        t, asset = row["event_timestamp"], row["asset_id"]
        body: dict[str, Any] = {"asset_id": asset, "event_timestamp": t.isoformat()}
        after = market.ends_after(asset, CUT)
        if t != CUT:
            if t - TICK != after[0]:
                continue
            body = {"asset_id": asset, "candle": market.bar(asset, t - TICK)}
        answer = asked(client, body)
        compared += 1
        for field in ("score", "decision", "threshold"):
            assert row[field] == answer[field]
        assert row["outputs"] == list(answer["probabilities"].values())
        for name, feature in answer["features"].items():
            assert row[name] == feature["value"]
    assert compared >= 5


def test_the_newest_bars_can_be_scored(market: MarketProject) -> None:
    """T is a microsecond after the last bar's end, which is within what the build covers."""
    last = decided_bars(market.settings)["event_timestamp"].max()
    assert isinstance(last, datetime)
    scored = score_day(
        market.settings,
        open_feature_store(market.settings),
        "market",
        (last - TICK).date(),
        progress=lambda what, share: None,
    )
    table = Lake.at(market.settings.lake).table("market/scored").read_day(scored.day)
    assert table["event_timestamp"].max() == last
    assert "STALE" not in scored.statuses


def test_the_demo_knows_whether_a_model_may_serve(market: MarketProject, tmp_path: Path) -> None:
    assert has_champion(market.settings, "market")
    assert not has_champion(market.settings, "fraud")
    assert not has_champion(market.settings.model_copy(update={"home": tmp_path}), "market")
