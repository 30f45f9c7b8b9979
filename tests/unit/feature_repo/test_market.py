"""What the bars of an asset say: by hand, in lists and in arrays alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions import market
from feature_repo.on_demand.market import describe_market
from feature_repo.windows.market import WINDOW_SPECS
from serving.plan_compiler import service_plan

HOUR_US = 3_600_000_000
STORED = [name for spec in WINDOW_SPECS for name in spec.features()]
COMPUTED = [field.name for field in market.market_indicators.features]
TIMES = st.integers(1_500_000_000_000_000, 1_600_000_000_000_000)
NUMBERS = st.none() | st.integers(-(10**6), 10**12) | st.floats(1e-6, 1e12)
ROWS = st.lists(
    st.fixed_dictionaries({"decision_time_us": TIMES, **dict.fromkeys(STORED, NUMBERS)}),
    min_size=1,
    max_size=3,
)


def one(**values: Any) -> dict[str, Any]:
    """The features of one asset; what is not given is null."""
    given_values = dict.fromkeys(STORED) | {"decision_time_us": 50 * HOUR_US}
    given_values |= {f"asset_{name}": value for name, value in values.items()}
    outputs = describe_market({name: [value] for name, value in given_values.items()})
    return {name: value for name, (value,) in outputs.items()}


def test_by_hand() -> None:
    found = one(
        close_ticks_last_1b=110,
        high_ticks_last_1b=120,
        low_ticks_last_1b=100,
        volume_lots_last_1b=30,
        bar_last_event_time_1b=48 * HOUR_US,
        close_ticks_first_2b=100,
        close_ticks_ema_32b=88.0,
        close_ticks_ema_104b=80.0,
        close_ticks_mean_20b=100.0,
        close_ticks_mean_100b=125.0,
        low_ticks_min_20b=90,
        high_ticks_max_20b=130,
        close_ticks_rsi_112b=71.0,
        close_ticks_macd_104b=2.2,
        close_ticks_macd_signal_104b=3.3,
        close_ticks_return_std_20b=0.02,
        close_ticks_return_std_100b=0.04,
        volume_lots_mean_20b=20.0,
        volume_lots_mean_10b=10.0,
        volume_lots_mean_100b=40.0,
    )
    known = {name: value for name, value in found.items() if value is not None}
    assert known == pytest.approx(
        {
            "hours_since_bar": 2,
            "bar_range": 20 / 110,
            "bar_close_position": 0.5,
            "return_1b": 0.1,
            "close_to_ema_8b": 0.25,
            "close_to_ema_26b": 0.375,
            "ema_8b_to_26b": 0.1,
            "ema_8b_above_26b": 1,
            "close_to_sma_20b": 0.1,
            "close_to_sma_100b": -0.12,
            "sma_20b_to_100b": -0.2,
            "sma_20b_above_100b": 0,
            "range_position_20b": 0.5,
            "rsi_14b_overbought": 1,
            "rsi_14b_oversold": 0,
            "macd_to_close": 0.02,
            "macd_histogram_to_close": -0.01,
            "macd_above_signal": 0,
            "volatility_20b_to_100b": 0.5,
            "volume_to_mean_20b": 1.5,
            "volume_to_mean_100b": 0.75,
            "volume_10b_to_100b": 0.25,
        }
    )


def test_an_unknown_asset_has_no_features() -> None:
    assert set(one().values()) == {None}


def test_a_bar_that_did_not_move_closed_in_the_middle_of_its_range() -> None:
    flat = one(close_ticks_last_1b=5, high_ticks_last_1b=5, low_ticks_last_1b=5)
    assert (flat["bar_range"], flat["bar_close_position"]) == (0, 0.5)


def test_ratios_do_not_depend_on_the_scale_of_prices() -> None:
    prices = {name: 100.0 + n for n, name in enumerate(STORED) if "_ticks_" in name}
    unitless = {name for name in prices if "_rsi_" in name or "_return_std_" in name}
    tenfold = {n: v * (1 if n in unitless else 8) for n, v in prices.items()}
    names = {name.removeprefix("asset_"): name for name in prices}
    assert one(**{n: prices[full] for n, full in names.items()}) == one(
        **{n: tenfold[full] for n, full in names.items()}
    )


@given(ROWS)
def test_lists_and_arrays_say_the_same(rows: list[dict[str, Any]]) -> None:
    lists = {name: [row[name] for row in rows] for name in rows[0]}
    arrays = {n: np.array(v, dtype=np.float64) for n, v in lists.items()}
    exact = {"decision_time_us": np.array(lists["decision_time_us"])}
    of_lists, of_arrays = describe_market(lists), describe_market(arrays | exact)
    assert set(of_lists) == set(of_arrays) == set(COMPUTED)
    for name, values in of_arrays.items():
        assert isinstance(values, np.ndarray)
        assert values.dtype == np.float64
        assert [None if math.isnan(v) else v for v in values.tolist()] == of_lists[name]


def test_the_service_can_be_served_and_has_no_prices() -> None:
    plan = service_plan("market", market.market_v1, market)
    names = [feature.name for feature in plan.features]
    assert len(set(names)) == len(names) == 60
    assert "hours_since_bar" not in names
    stored = [name for name in names if name in STORED]
    assert {name.split("_ticks_")[1].rsplit("_", 1)[0] for name in stored} == {
        "return_std",
        "slope",
        "rsi",
    }


def test_every_window_has_a_view_of_its_bars() -> None:
    assert {spec.bar for spec in WINDOW_SPECS} == {"4h"}
    views = {name for name in vars(market) if name.startswith("asset_")}
    assert views == {spec.name for spec in WINDOW_SPECS}
