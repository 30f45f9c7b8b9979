"""What lies in Redis beside a step: it follows late and restated bars, increments and deletes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from feast import FeatureStore
from market_project import make_market
from redis import Redis
from test_market_served import LATE, RESTATED, START, TICK, with_late_and_restated

from feature_repo.definitions import market
from feature_repo.store import open_feature_store
from feature_repo.windows.market import WINDOW_SPECS
from lockstep.jobs.generate.market import Options, generate
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.online_reader import OnlineReader
from lockstep.stores.redis_layout import event_field, rows_field
from lockstep.windows.microseconds import microseconds
from serving.errors import NotMaterializedError
from serving.fresh_reads import FreshReads
from serving.fresh_row import FreshRow
from serving.plan_compiler import service_plan
from serving.rows import Asked, Read

# Of the real file.
REAL_BARS = 1_300
BAR, DAY = timedelta(hours=4), timedelta(days=1)
PLAN = service_plan("lockstep", market.market_v1, market)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("market")
    rows = with_late_and_restated(generate(Options(assets=2, days=40, missing=0.0)))
    rows.write_parquet(folder / "bars.parquet")
    return make_market(folder, folder / "bars.parquet")


@pytest.fixture
def store(built: Settings, redis_environment: None) -> FeatureStore:
    return open_feature_store(built)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def bar(settings: Settings, end: datetime) -> FreshRow:
    """The stored bar of asset 1 with that end, as it was first told."""
    told = (
        Lake.at(settings.lake)
        .table("market/bars_4h")
        .scan()
        .filter(pl.col("event_timestamp") == end, pl.col("asset_id") == 1, ~pl.col("is_deleted"))
    )
    row = told.sort("created_timestamp").collect().row(0, named=True)
    return FreshRow(microseconds(end), {n: row[n] for n in row if n.endswith(("_ticks", "_lots"))})


def read(redis_url: str, row: FreshRow, t: datetime) -> Read:
    """What asset 1 says at T with the row on top."""

    async def stored(asked: Asked) -> Read:
        raise AssertionError("nothing else was asked")

    async def ask() -> Read:
        fresh = FreshReads.of(PLAN, WINDOW_SPECS, lambda reads: OnlineReader(redis_url, reads))
        assert fresh is not None
        t_us = microseconds(t)
        try:
            return await fresh.read(Asked([{"asset_id": 1}], {}, [t_us], {0: row}), stored)
        finally:
            await fresh.reader.close()

    return asyncio.run(ask())


def joined(store: FeatureStore, t: datetime) -> list[float | None]:
    """The same features as the offline join has them at T."""
    entities = pl.DataFrame({"asset_id": [1], "event_timestamp": [t]}).with_columns(
        pl.col("event_timestamp").cast(pl.Datetime("us", "UTC"))
    )
    refs = [f"{feature.view}:{feature.name}" for feature in PLAN.stored]
    found = pl.DataFrame(store.get_historical_features(entities.to_arrow(), refs).to_arrow())
    return [found[feature.name].item() for feature in PLAN.stored]


def test_on_top_of_increments_it_is_always_what_a_rebuild_gives(
    store: FeatureStore, built: Settings, redis_url: str
) -> None:
    """Late and restated bars lie behind the newest one: only the longest windows tell of them."""
    ends = [START + 2 * BAR, START + 12 * DAY, LATE + BAR, LATE + DAY - BAR, LATE + DAY + BAR]
    ends += [RESTATED + BAR, RESTATED + 2 * BAR, RESTATED + 4 * DAY, START + 40 * DAY]
    since, told = START - DAY, []
    for end in ends:
        cut = end - timedelta(minutes=1)
        store.materialize(since, cut)
        found = read(redis_url, bar(built, end), end + TICK)
        expected = joined(store, end + TICK)
        assert [None if np.isnan(v) else v for v in found.values[0].tolist()] == expected
        assert not found.refused
        told.append(expected)
        since = cut
    assert len({tuple(map(str, row)) for row in told}) == len(ends)


def test_a_late_bar_changes_what_is_kept_though_the_newest_bar_is_the_same(
    store: FeatureStore, redis: Redis
) -> None:
    before, after = LATE + DAY - timedelta(hours=1), LATE + DAY + timedelta(hours=1)
    field, sizes = rows_field("asset_trend"), []
    for since, cut in ((START - DAY, before), (before, after)):
        store.materialize(since, cut)
        (key,) = _keys_of(redis, 1)
        sizes.append(len(redis.hget(key, field)))
    bars = [(size - 24) / 40 for size in sizes]
    # The late one, and the bar that has ended at the same time.
    assert bars[1] == bars[0] + 2


def test_rows_go_with_their_view(store: FeatureStore, redis: Redis) -> None:
    store.materialize(START, START + 5 * DAY)
    online = store._get_provider().online_store
    (key,) = _keys_of(redis, 1)
    assert redis.hexists(key, rows_field("asset_trend"))
    assert not redis.hexists(key, rows_field("asset_bar"))
    online.teardown(store.config, [store.get_feature_view("asset_trend")], [])
    assert redis.hexists(key, event_field("asset_bar"))
    assert not redis.hexists(key, rows_field("asset_trend"))


def test_a_step_that_somebody_else_wrote_has_no_rows(
    store: FeatureStore, built: Settings, redis_url: str
) -> None:
    """Feast's own way of writing knows nothing of them: those of an older step are not taken."""
    end = START + 5 * DAY
    store.materialize(START, end - timedelta(minutes=1))
    view = store.get_feature_view("asset_trend")
    row = {"asset_id": 1, **{field.name: 1 for field in view.features}}
    times = dict.fromkeys(("event_timestamp", "created_timestamp"), end - timedelta(seconds=30))
    frame = pd.DataFrame([{**row, **times}])
    store.write_to_online_store("asset_trend", frame)
    found = read(redis_url, bar(built, end), end + TICK)
    assert type(found.refused[0]) is NotMaterializedError


def test_a_project_from_before_there_were_rows_gets_them_with_the_next_materialisation(
    store: FeatureStore, built: Settings, redis_url: str, redis: Redis
) -> None:
    """Where the view says something else of its rows, nothing is taken as written."""
    end = START + 5 * DAY
    view = store.get_feature_view("asset_trend")
    tagged = dict(view.tags)
    view.tags = {name: value for name, value in tagged.items() if name != "kept_rows"}
    store.apply([view])
    try:
        store.materialize(START, end - timedelta(hours=1))
        (key,) = _keys_of(redis, 1)
        assert not redis.hexists(key, rows_field("asset_trend"))
    finally:
        view.tags = tagged
        store.apply([view])
    store.materialize(end - timedelta(hours=1), end - timedelta(minutes=1))
    found = read(redis_url, bar(built, end), end + TICK)
    assert not found.refused


@pytest.fixture(scope="module")
def real(real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The first of the real bars: past the longest warm-up, of 800, and the longest gap."""
    folder = tmp_path_factory.mktemp("real")
    with (real_data_dir / "btcusdt_4h.csv").open() as file:
        (folder / "bars.csv").write_text("".join(islice(file, 1 + REAL_BARS)))
    return make_market(folder, folder / "bars.csv", asset_id=1)


@pytest.mark.realdata
@pytest.mark.timeout(900)
def test_on_the_real_bars_it_is_what_a_rebuild_gives(
    real: Settings, redis_url: str, redis_environment: None
) -> None:
    """While windows fill, after the longest gap, and at the end."""
    store = open_feature_store(real)
    ends = (
        Lake.at(real.lake)
        .table("market/bars_4h")
        .scan()
        .select("event_timestamp")
        .sort("event_timestamp")
    )
    ends = ends.collect()["event_timestamp"]
    after_gap = int(ends.diff().arg_max())  # type: ignore[arg-type]  # not empty
    since = ends[0] - DAY
    assert (len(ends), after_gap) == (REAL_BARS, 1_050)
    for number in (1, 900, after_gap, REAL_BARS - 1):
        end = ends[number]
        # Right after the bar before: what came between is not there to be known.
        cut = ends[number - 1] + TICK
        store.materialize(since, cut)
        found = read(redis_url, bar(real, end), end + TICK)
        values = [None if np.isnan(v) else v for v in found.values[0].tolist()]
        assert not found.refused
        assert values == joined(store, end + TICK)
        since = cut


def _keys_of(redis: Redis, asset: int) -> list[bytes]:
    ends = asset.to_bytes(8, "little") + b"lockstep"
    return [key for key in redis.scan_iter() if b"asset_id" in key and key.endswith(ends)]
