"""The real bars: indicators against pandas, and served as they are joined, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from feast import FeatureStore
from market_project import FEATURES, make_market, offline, online
from polars.testing import assert_frame_equal

from feature_repo.store import open_feature_store
from feature_repo.windows.market import WINDOW_SPECS
from lockstep.jobs.ingest.market import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import steps

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(600)]

TICK = timedelta(microseconds=1)
SCALE = 1e6
# Past the longest warm-up of 800 bars and the longest gap, of 7 bars.
BARS = 1_300
GAP_ENDS = datetime(2018, 2, 9, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def csv(real_data_dir: Path) -> Path:
    return real_data_dir / "btcusdt_4h.csv"


@pytest.fixture(scope="module")
def candles(csv: Path) -> pd.DataFrame:
    """The file as pandas reads it, by the end of each bar."""
    frame = pd.read_csv(csv, parse_dates=["timestamp"])
    return frame.set_index(frame["timestamp"].dt.tz_localize("UTC") + pd.Timedelta(hours=4))


@pytest.fixture(scope="module")
def bars(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The whole file as it stands in the lake."""
    lake = Lake.at(tmp_path_factory.mktemp("whole") / "lake")
    receipt = ingest(ingest_spec(asset_id=1), csv, lake=lake)
    assert (receipt.rows_in, receipt.accepted, receipt.rejected) == (18_371, 18_371, 0)
    return lake.table("market/bars_4h").scan().collect()


def test_the_older_systems_file_has_the_same_bars(bars: pl.DataFrame, real_data_dir: Path) -> None:
    """But for the volume of nine, which conflict; the lake keeps the first file's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(real_data_dir)
        seed = pl.read_json("btcusdt_4h_seed.json")
    ends = seed["TimeKey"].str.to_datetime(time_zone="UTC") + timedelta(hours=4)
    both = seed.with_columns(event_timestamp=ends).join(bars, on="event_timestamp")
    assert both.height == seed.height == 8_504
    for name in ("Open", "High", "Low", "Close"):
        ticks = (both[name] * SCALE).round().cast(pl.Int64)
        assert (ticks == both[f"{name.lower()}_ticks"]).all()


def smoothed(values: pd.Series, span: float) -> pd.Series:
    return values.ewm(span=max(span, 1)).mean()


def strength(close: pd.Series, period: float) -> float:
    change = close.diff().dropna()
    up, down = (smoothed(each.clip(lower=0), 2 * period - 1) for each in (change, -change))
    return float(100 * up.iloc[-1] / (up.iloc[-1] + down.iloc[-1]))


def macd(close: pd.Series, slow: float) -> pd.Series:
    return smoothed(close, slow * 12 / 26) - smoothed(close, slow)


# Each feature of the bars that a window holds, and of how many it has when none is missing.
IN_PANDAS: dict[str, Callable[[pd.DataFrame, int], Any]] = {
    "close_ticks_last": lambda held, n: held["close"].iloc[-1],
    "high_ticks_last": lambda held, n: held["high"].iloc[-1],
    "low_ticks_last": lambda held, n: held["low"].iloc[-1],
    "volume_lots_last": lambda held, n: held["volume"].iloc[-1],
    "bar_last_event_time": lambda held, n: held.index[-1].value / 1_000,
    "close_ticks_first": lambda held, n: held["close"].iloc[0],
    "close_ticks_mean": lambda held, n: held["close"].mean(),
    "low_ticks_min": lambda held, n: held["low"].min(),
    "high_ticks_max": lambda held, n: held["high"].max(),
    "close_ticks_return_std": lambda held, n: held["close"].pct_change().std(),
    "close_ticks_slope": lambda held, n: (
        np.polyfit(np.arange(len(held)), held["close"], 1)[0] / held["close"].mean()
    ),
    "volume_lots_mean": lambda held, n: held["volume"].mean(),
    "close_ticks_ema": lambda held, n: smoothed(held["close"], n / 4).iloc[-1],
    "close_ticks_rsi": lambda held, n: strength(held["close"], n / 8),
    "close_ticks_macd": lambda held, n: macd(held["close"], n / 4).iloc[-1],
    "close_ticks_macd_signal": lambda held, n: smoothed(
        macd(held["close"], n / 4), n / 4 * 9 / 26
    ).iloc[-1],
}


def in_pandas(held: pd.DataFrame, names: Sequence[str], bars: int) -> dict[str, float]:
    """The features of a window's bars, prices in ticks and volumes in lots."""
    held = held.drop(columns="timestamp") * SCALE
    whats = {name: name.removeprefix("asset_").removesuffix(f"_{bars}b") for name in names}
    return {name: IN_PANDAS[what](held, bars) for name, what in whats.items()}


@pytest.mark.parametrize("spec", WINDOW_SPECS, ids=lambda spec: str(spec.name))
def test_indicators_are_those_of_pandas_from_the_first_to_the_last(
    bars: pl.DataFrame, candles: pd.DataFrame, spec: WindowSpec
) -> None:
    table = steps(bars, spec, end=datetime(2027, 1, 1, tzinfo=UTC))
    ends = bars.select(end="event_timestamp", event_timestamp=pl.col("event_timestamp") + TICK)
    on_arrival = table.join(ends, on="event_timestamp", maintain_order="left")
    assert on_arrival.height == 18_371
    for window, length in zip(spec.windows, spec.lengths_us, strict=True):
        names = [name for name in spec.features() if name.endswith(f"_{window}")]
        n = int(window[:-1])
        known = on_arrival.drop_nulls(names)
        # The first has nine tenths of its bars; no bar is missing yet.
        assert known["end"][0] == candles.index[n - n // 10 - 1]
        after_gap = known.filter(pl.col("end") >= GAP_ENDS).head(1)
        for row in pl.concat([known[:1], after_gap, known[-1:]]).iter_rows(named=True):
            since = row["end"] - timedelta(microseconds=length)
            held = candles[(candles.index > since) & (candles.index <= row["end"])]
            found = {name: row[name] for name in names}
            # MACD is a difference of two means of ten digits.
            assert found == pytest.approx(in_pandas(held, names, n), rel=1e-7, abs=1e-4)


@pytest.fixture(scope="module")
def built(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A project with the first bars built and applied."""
    folder = tmp_path_factory.mktemp("market")
    with csv.open() as file, (folder / "first.csv").open("w") as first:
        first.writelines(islice(file, BARS + 1))
    return make_market(folder, folder / "first.csv", asset_id=1)


@pytest.fixture
def store(built: Settings, redis_environment: None) -> FeatureStore:
    """Its store, with nothing in Redis."""
    return open_feature_store(built)


def test_warm_up_and_gaps_are_null_where_declared(
    store: FeatureStore, candles: pd.DataFrame
) -> None:
    ends = [end.to_pydatetime() for end in candles.index[:BARS]]
    found = offline(store, [end + TICK for end in ends])
    # Nine tenths of a window, rounded up; the mean of span 200 has one of 800 bars.
    first = {"bar_range": 1, "return_6b": 7, "return_200b": 181, "close_to_ema_200b": 720}
    for name, bars in first.items():
        assert found[name].is_null().arg_min() == bars - 1
    gap = ends.index(GAP_ENDS)
    # Seven bars are missing before it: fewer than nine tenths of fifty remain, but of 100.
    assert found["range_position_50b"].is_null()[gap - 1 : gap + 2].to_list() == [False, True, True]
    assert found["range_position_100b"].null_count() == 89
    within = offline(store, [GAP_ENDS - timedelta(hours=9)])
    assert within["return_1b"].to_list() == within["range_position_100b"].to_list() == [None]
    assert within["asset_close_ticks_slope_100b"].null_count() == 0
    assert found.tail(1).null_count().transpose().sum().item() == 0


def test_served_equals_joined_bit_for_bit(store: FeatureStore, candles: pd.DataFrame) -> None:
    ends = [candles.index[n].to_pydatetime() for n in (5, 100, 500)]
    ends += [GAP_ENDS - timedelta(hours=9), GAP_ENDS, candles.index[BARS - 1].to_pydatetime()]
    known = []
    for end in ends:
        at = end + TICK
        store.materialize(ends[0] - timedelta(days=30), at)
        served = online(store, at)
        (joined,) = offline(store, [at]).to_dicts()
        assert {name: served[name] for name in joined} == joined
        known.append(sum(value is not None for value in joined.values()))
    assert known[0] < known[1] < known[2] < known[-1] == len(FEATURES) == 60


def test_what_was_not_refreshed_differs_from_the_join(
    store: FeatureStore, candles: pd.DataFrame
) -> None:
    """The comparison can fail: Redis a bar behind has other values than the join at T."""
    before, at = (candles.index[n].to_pydatetime() + TICK for n in (1_000, 1_001))
    store.materialize(before - timedelta(days=300), before)
    served = online(store, at)
    (joined,) = offline(store, [at]).to_dicts()
    differs = {name for name, value in joined.items() if served[name] != value}
    assert {"return_1b", "close_to_ema_8b", "asset_close_ticks_rsi_112b"} <= differs


@pytest.mark.parametrize("spec", WINDOW_SPECS, ids=lambda spec: str(spec.name))
def test_a_fresh_bar_on_top_of_the_newest_ones_gives_what_a_rebuild_gives(
    bars: pl.DataFrame, spec: WindowSpec
) -> None:
    """All that it takes are the bars of the longest window; here with a gap, too."""
    bars = bars.sort("event_timestamp")
    for n in (0, 600, 1_060, 18_370):
        end = bars["event_timestamp"][n]
        known, fresh = bars[: n + 1], bars[max(n - spec.bars[-1], 0) : n + 1]
        of_known = steps(known, spec, end=end + 2 * TICK).tail(1)
        of_fresh = steps(fresh, spec, start=end, end=end + 2 * TICK).tail(1)
        assert of_fresh["event_timestamp"][0] == end + TICK
        assert_frame_equal(of_fresh, of_known, check_exact=True)
