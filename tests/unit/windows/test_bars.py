"""Rows that are bars: windows counted in bars, warm-up, gaps, and indicators against pandas."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from histories import FAR, MINUTE, as_table, built, cuts, spec_of
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from step_oracle import Row, stored_steps

from lockstep.windows.errors import WindowSpecError
from lockstep.windows.functions import FUNCTIONS
from lockstep.windows.spec import Aggregation, Ratio, WindowSpec

COUNT = Aggregation("count", what="bar")
OF_BARS = tuple(
    Aggregation(name, "value", "price") for name, each in FUNCTIONS.items() if each.needs_bar
)
NAMES = [aggregation.function for aggregation in OF_BARS]
ORDER = ["key", "event_timestamp", "created_timestamp"]


def bar_spec(*windows: str, bar: str | None = "1m") -> WindowSpec:
    of_events = (COUNT, Aggregation("mean", "value"), Aggregation("max", "value", where="flag"))
    share = Ratio("flagged", of=Aggregation("count", what="flag", where="flag"), to=COUNT)
    return spec_of(*OF_BARS, *of_events, windows=windows, ratios=(share,), bar=bar)


def prices(count: int, seed: int = 1) -> list[int]:
    """A random walk in ticks."""
    returns = np.random.default_rng(seed).normal(0, 0.01, count)
    return [int(price) for price in 1e6 * np.cumprod(1 + returns)]


def series(values: list[int], skipped: tuple[int, ...] = ()) -> list[Row]:
    """A bar a minute, but for those that were skipped."""
    minutes = [minute for minute in range(len(values) + len(skipped)) if minute not in skipped]
    return [Row(1, m * MINUTE, m * MINUTE, v) for m, v in zip(minutes, values, strict=True)]


def in_pandas(window: pd.Series, bars: int) -> dict[str, float]:
    """Each indicator of the bars of one window."""
    span, change = bars / 4, window.diff().dropna()
    wilder = {"alpha": min(8 / bars, 1)}
    up = change.clip(lower=0).ewm(**wilder).mean().iloc[-1]
    down = (-change).clip(lower=0).ewm(**wilder).mean().iloc[-1]

    def smoothed(values: pd.Series, span: float) -> pd.Series:
        return values.ewm(span=max(span, 1)).mean()

    macd = smoothed(window, span * 12 / 26) - smoothed(window, span)
    slope = np.polyfit(np.arange(len(window)), window, 1)[0]
    return {
        "first": window.iloc[0],
        "ema": smoothed(window, span).iloc[-1],
        "slope": slope / window.mean(),
        "return_std": window.pct_change().std(),
        "rsi": 100 - 100 / (1 + up / down),
        "macd": macd.iloc[-1],
        "macd_signal": smoothed(macd, span * 9 / 26).iloc[-1],
    }


@pytest.mark.parametrize("bars", [16, 104, 216])
def test_indicators_are_those_of_pandas_over_the_bars_of_the_window(bars: int) -> None:
    values = prices(260)
    table = built(series(values), bar_spec(f"{bars}b"))
    arrivals = table.filter(pl.col("event_timestamp").dt.timestamp() % MINUTE == 1)[:260]
    for n in (bars, 230, 260):
        step = arrivals.row(n - 1, named=True)
        expected = in_pandas(pd.Series(values[n - bars : n], dtype=float), bars)
        found = {name: step[f"key_price_{name}_{bars}b"] for name in NAMES}
        # MACD is a difference of two means near a million.
        assert found == pytest.approx(expected, rel=1e-8, abs=1e-7)


def test_indicators_of_prices_that_stand_still() -> None:
    step = built(series([500] * 20), bar_spec("16b")).row(18, named=True)
    found = {name: step[f"key_price_{name}_16b"] for name in NAMES}
    still = {"first": 500, "ema": 500, "slope": 0, "return_std": 0, "rsi": 50, "macd": 0}
    assert found == pytest.approx(still | {"macd_signal": 0}, abs=1e-9)


def test_one_way_prices_have_the_bounds_of_relative_strength() -> None:
    for values, bound in (([*range(1, 21)], 100.0), ([*range(20, 0, -1)], 0.0)):
        step = built(series(values), bar_spec("16b")).row(17, named=True)
        assert step["key_price_rsi_16b"] == bound


def test_each_bar_is_one_step_with_a_full_window() -> None:
    table = built(series(prices(30)), bar_spec("10b", "20b"))
    times = table["event_timestamp"].dt.timestamp().to_list()
    assert times == [n * MINUTE + 1 for n in range(50)]
    assert table["key_bar_count_10b"].to_list()[9:30] == [10] * 21
    until = table["valid_until_us"].to_list()
    assert until[20:49] == times[21:50]


def test_a_window_that_lacks_more_than_a_tenth_of_its_bars_has_no_values() -> None:
    one, two = series(prices(20), skipped=(12,)), series(prices(19), skipped=(12, 14))
    spec = bar_spec("10b")
    for rows, at, bars in ((one, 8, 9), (one, 15, 9), (two, 15, None), (one, 7, None)):
        table = built(rows, spec)
        step = table.filter(pl.col("event_timestamp").dt.timestamp() == at * MINUTE + 1)
        assert step["key_bar_count_10b"].item() == bars
        values = step.select(list(spec.features()))
        assert values.select(pl.all().is_null().all()).row(0) == (bars is None,) * values.width


def test_a_short_gap_is_bridged() -> None:
    """As though the bars on its two sides were neighbours."""
    values = prices(20)
    with_gap = built(series(values[:19], skipped=(12,)), bar_spec("10b"))
    step = with_gap.filter(pl.col("event_timestamp").dt.timestamp() == 15 * MINUTE + 1)
    expected = in_pandas(pd.Series(values[6:15], dtype=float), 10)
    found = {name: step[f"key_price_{name}_10b"].item() for name in NAMES}
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-7)


def test_of_bars_that_come_too_close_the_newest_count() -> None:
    values = prices(30)
    rows = [Row(1, n * MINUTE // 2, n * MINUTE // 2, v) for n, v in enumerate(values)]
    step = built(rows, bar_spec("10b")).filter(pl.col("key_bar_count_10b") == 20)
    newest = step.row(-1, named=True)
    last = newest["event_timestamp"].timestamp() * 1e6 // (MINUTE // 2)
    expected = in_pandas(pd.Series(values[int(last) - 9 : int(last) + 1], dtype=float), 10)
    found = {name: newest[f"key_price_{name}_10b"] for name in NAMES}
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-7)


@st.composite
def bar_histories(draw: st.DrawFn) -> list[Row]:
    """Bars of one or two keys with gaps, some late, some deleted or corrected, some doubled."""
    rows = []
    for key in range(1, draw(st.integers(1, 2)) + 1):
        kept = draw(st.lists(st.integers(0, 9), min_size=3, max_size=16))
        for minute, fate in enumerate(kept):
            event = minute * MINUTE
            late = draw(st.integers(1, 5 * MINUTE)) if fate == 1 else 0
            row = Row(key, event, event + late, draw(st.integers(1, 60)), fate % 2)
            if fate:
                rows.append(row)
            if fate in (2, 3):
                when = row.created + draw(st.integers(0, 4 * MINUTE))
                rows.append(row._replace(created=when, deleted=True))
            if fate == 3:
                rows.append(row._replace(created=when, value=draw(st.integers(1, 60))))
            if fate == 4:
                rows.append(row._replace(value=draw(st.integers(-2, 60))))
    return draw(st.permutations(rows))


bar_specs = st.sampled_from([bar_spec("3b", "4b", "10b"), bar_spec("2b", "5b", bar="2m")])


@given(bar_histories(), bar_specs)
def test_bars_are_always_what_the_definition_says(rows: list[Row], spec: WindowSpec) -> None:
    expected = as_table(stored_steps(rows, spec, start=-FAR, end=FAR), spec)
    assert_frame_equal(built(rows, spec), expected, check_exact=True)


@given(bar_histories(), bar_specs, cuts)
def test_increments_of_bars_always_add_up_to_the_full_build(
    rows: list[Row], spec: WindowSpec, cuts: list[int]
) -> None:
    edges = [-FAR, *sorted(cuts), FAR]
    parts = [built(rows, spec, start=a, end=b) for a, b in pairwise(edges)]
    assert_frame_equal(pl.concat(parts).sort(ORDER), built(rows, spec), check_exact=True)


@given(bar_histories())
def test_a_grid_moves_bars_in_and_out_together(rows: list[Row]) -> None:
    spec = spec_of(*OF_BARS, COUNT, windows=("3b", "10b"), bar="1m", resolution="1m")
    expected = as_table(stored_steps(rows, spec, start=-FAR, end=FAR), spec)
    assert_frame_equal(built(rows, spec), expected, check_exact=True)


@pytest.mark.parametrize("function", NAMES)
def test_a_function_of_bars_is_refused_where_rows_are_none(function: str) -> None:
    with pytest.raises(WindowSpecError, match=rf"\['{function}'\], which are of bars"):
        spec_of(Aggregation(function, "value"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bar": "1m", "windows": ("5m",)}, "'5m' is not a number of bars"),
        ({"bar": "1m", "windows": ("0b",)}, "'0b' is not a number of bars"),
        ({"bar": "1b", "windows": ("5b",)}, "'1b' is not a length of time"),
        ({"windows": ("5b",)}, "'5b' is not a length of time"),
        ({"bar": "1m", "windows": ("5b", "2b")}, "must grow"),
    ],
)
def test_only_bars_are_counted_in_bars(options: dict[str, Any], message: str) -> None:
    with pytest.raises(WindowSpecError, match=message):
        spec_of(COUNT, **options)


def test_a_bar_is_part_of_what_a_spec_says() -> None:
    specs = [spec_of(COUNT, windows=("5b",), bar=bar) for bar in ("1m", "2m")]
    assert len({spec.fingerprint for spec in specs}) == 2
