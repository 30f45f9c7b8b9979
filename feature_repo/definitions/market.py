"""Assets and what their price bars say: trend, strength, range, spread and volume."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

from feature_repo.on_demand.market import describe_market
from feature_repo.step_view import step_view
from feature_repo.windows.market import (
    ASSET_BAR,
    ASSET_MACD,
    ASSET_PAST,
    ASSET_RANGE,
    ASSET_STRENGTH,
    ASSET_TREND,
    WINDOW_SPECS,
)
from lockstep.windows.spec import WindowSpec

asset = Entity(
    name="asset",
    join_keys=["asset_id"],
    value_type=ValueType.INT64,
    description="What is traded, such as a pair of currencies.",
)


def _view(
    spec: WindowSpec, description: str, *, keeps_rows_for: Sequence[WindowSpec] = ()
) -> FeatureView:
    # Two bars: the newest was known four hours ago at most, the next build may take its time.
    return step_view(
        spec,
        entity=asset,
        max_age=timedelta(hours=8),
        description=f"{description}; 4h bars.",
        keeps_rows_for=keeps_rows_for,
    )


asset_bar = _view(ASSET_BAR, "The newest bar: close, high and low in ticks, volume in lots")
asset_past = _view(ASSET_PAST, "The close of 1, 6, 12, 24, 48 and 200 bars ago, in ticks")
asset_range = _view(ASSET_RANGE, "Mean, range, spread and slope of 10 to 200 bars")
# The longest window of all: its bars are all that a fresh one is put on top of.
asset_trend = _view(
    ASSET_TREND,
    "Exponential means of spans 8 to 200, in ticks",
    keeps_rows_for=WINDOW_SPECS,
)
asset_strength = _view(ASSET_STRENGTH, "Relative strength of periods 9, 14, 20 and 27")
asset_macd = _view(ASSET_MACD, "MACD of 12 and 26 bars and its signal of 9, in ticks")

decision = RequestSource(
    name="decision",
    schema=[Field(name="decision_time_us", dtype=Int64)],
    description="When it is decided: T in microseconds UTC.",
)

_COMPUTED = (
    "hours_since_bar",
    "bar_range",
    "bar_close_position",
    *(f"return_{bars}b" for bars in (1, 6, 12, 24, 48, 200)),
    *(f"close_to_ema_{span}b" for span in (8, 12, 26, 50, 100, 200)),
    *(f"ema_{pair}" for pair in ("8b_to_26b", "12b_to_50b", "50b_to_200b")),
    *(f"ema_{pair}" for pair in ("8b_above_26b", "12b_above_50b", "50b_above_200b")),
    *(f"close_to_sma_{bars}b" for bars in (10, 20, 50, 100, 200)),
    *(f"sma_{pair}" for pair in ("10b_to_50b", "20b_to_100b", "50b_to_200b")),
    *(f"sma_{pair}" for pair in ("10b_above_50b", "20b_above_100b", "50b_above_200b")),
    *(f"range_position_{bars}b" for bars in (10, 20, 50, 100, 200)),
    "rsi_14b_overbought",
    "rsi_14b_oversold",
    "macd_to_close",
    "macd_histogram_to_close",
    "macd_above_signal",
    "volatility_10b_to_100b",
    "volatility_20b_to_100b",
    "volume_to_mean_20b",
    "volume_to_mean_100b",
    "volume_10b_to_100b",
)

market_indicators = on_demand_feature_view(
    name="market_indicators",
    # Not the whole views: `valid_until_us` stands in all.
    sources=[
        asset_bar[list(ASSET_BAR.features())],
        asset_past[list(ASSET_PAST.features())],
        asset_range[list(ASSET_RANGE.features())],
        asset_trend[list(ASSET_TREND.features())],
        asset_strength[["asset_close_ticks_rsi_112b"]],
        asset_macd[list(ASSET_MACD.features())],
        decision,
    ],
    schema=[Field(name=name, dtype=Float64) for name in _COMPUTED],
    mode="python",
    tags={"columns": "numpy"},
    description="Prices and volumes against their own past: nothing has a unit.",
)(describe_market)

market_v1 = FeatureService(
    name="market_v1",
    features=[
        asset_range[
            [name for name in ASSET_RANGE.features() if "_return_std_" in name or "_slope_" in name]
        ],
        asset_strength[list(ASSET_STRENGTH.features())],
        # How old the newest bar is says when one asks, not what the market does.
        market_indicators[[name for name in _COMPUTED if name != "hours_since_bar"]],
    ],
    # What is not known at all is no asset of ours: nobody should trade on it.
    tags={"on_not_found": "reject"},
    description="What the market model reads, in its order: no prices, only ratios.",
)
