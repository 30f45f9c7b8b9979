"""Generated bars of several assets, some late or restated: served as they are joined."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from feast import FeatureStore
from market_project import FEATURES, make_market, offline, online

from feature_repo.store import open_feature_store
from lockstep.jobs.generate.market import Options, generate
from lockstep.settings import Settings

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
START = datetime(2023, 1, 1, tzinfo=UTC)
LATE, RESTATED = START + 20 * DAY, START + 25 * DAY


def with_late_and_restated(rows: pl.DataFrame) -> pl.DataFrame:
    """The first bar after LATE is a day late, that after RESTATED is restated six hours on."""
    end = pl.col("timestamp").dt.replace_time_zone("UTC") + timedelta(hours=4)
    is_late = end.is_between(LATE, LATE + timedelta(hours=4), closed="left")
    rows = rows.with_columns(created_timestamp=pl.when(is_late).then(end + DAY).otherwise(end))
    restated = rows.filter(
        end.is_between(RESTATED, RESTATED + timedelta(hours=4), closed="left")
    ).with_columns(close="low", created_timestamp=end + timedelta(hours=6))
    return pl.concat([rows, restated])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("market")
    rows = with_late_and_restated(generate(Options(assets=2, days=40, missing=0.0)))
    rows.write_parquet(folder / "bars.parquet")
    return make_market(folder, folder / "bars.parquet")


@pytest.fixture
def store(built: Settings, redis_environment: None) -> FeatureStore:
    """The store of the project, with nothing in Redis."""
    return open_feature_store(built)


@pytest.mark.parametrize("asset", [1, 2])
@pytest.mark.parametrize(
    "at",
    [START + 3 * DAY, LATE, LATE + DAY, RESTATED, RESTATED + timedelta(hours=8), START + 40 * DAY],
    ids=str,
)
def test_served_equals_joined_bit_for_bit(store: FeatureStore, at: datetime, asset: int) -> None:
    store.materialize(START, at + TICK)
    (joined,) = offline(store, [at + TICK], asset=asset).to_dicts()
    assert online(store, at + TICK, asset=asset) == joined
    assert joined["return_1b"] is None if at == LATE else joined["return_1b"] is not None


def test_a_late_bar_is_missing_until_it_comes(store: FeatureStore) -> None:
    """The bars beside it are neighbours for so long; what was known then can be asked later."""
    after = LATE + timedelta(hours=4) + TICK
    before_it, beside_it, with_it = offline(
        store, [LATE + TICK, after, LATE + DAY + TICK]
    ).to_dicts()
    assert before_it["bar_range"] is None
    assert beside_it["bar_range"] is not None
    assert beside_it["return_1b"] is None
    assert beside_it["asset_close_ticks_slope_20b"] is not None
    assert with_it["return_6b"] is not None


def test_an_unknown_asset_has_no_features(store: FeatureStore) -> None:
    store.materialize(START, START + 40 * DAY)
    at = START + 40 * DAY
    assert set(online(store, at, asset=9).values()) == {None}
    assert set(offline(store, [at], asset=9).row(0)) == {None}
    assert len(FEATURES) == 60
