"""What the bars of an asset say, over windows that are counted in bars.

Prices are in ticks and volumes in lots, which differ between assets and years: a model gets
what `feature_repo.on_demand.market` makes of them. Windows are chosen by what is read from
them: the oldest of n + 1 bars is n bars ago, an exponential mean has a span of a quarter of
its window's bars, a relative strength a period of an eighth.
"""

from __future__ import annotations

from lockstep.jobs.ingest.market import DEFAULT_INTERVAL, bar_table
from lockstep.windows.spec import Aggregation, WindowSpec


def _of_asset(
    what: str, windows: tuple[str, ...], *aggregations: Aggregation, bar: str = DEFAULT_INTERVAL
) -> WindowSpec:
    return WindowSpec(
        name=f"asset_{what}",
        source=bar_table(bar),
        entity="asset",
        entity_keys=("asset_id",),
        windows=windows,
        aggregations=aggregations,
        bar=bar,
    )


# A bar that is not the last interval's is no price to compare with: null until the next.
ASSET_BAR = _of_asset(
    "bar",
    ("1b",),
    Aggregation("last", "close_ticks"),
    Aggregation("last", "high_ticks"),
    Aggregation("last", "low_ticks"),
    Aggregation("last", "volume_lots"),
    Aggregation("last_event_time", what="bar"),
)
# 1, 6, 12, 24, 48 and 200 bars ago.
ASSET_PAST = _of_asset(
    "past", ("2b", "7b", "13b", "25b", "49b", "201b"), Aggregation("first", "close_ticks")
)
ASSET_RANGE = _of_asset(
    "range",
    ("10b", "20b", "50b", "100b", "200b"),
    Aggregation("mean", "close_ticks"),
    Aggregation("min", "low_ticks"),
    Aggregation("max", "high_ticks"),
    Aggregation("return_std", "close_ticks"),
    Aggregation("slope", "close_ticks"),
    Aggregation("mean", "volume_lots"),
)
# Spans of 8, 12, 26, 50, 100 and 200 bars.
ASSET_TREND = _of_asset(
    "trend", ("32b", "48b", "104b", "200b", "400b", "800b"), Aggregation("ema", "close_ticks")
)
# Periods of 9, 14, 20 and 27 bars.
ASSET_STRENGTH = _of_asset(
    "strength", ("72b", "112b", "160b", "216b"), Aggregation("rsi", "close_ticks")
)
# Spans of 12, 26 and 9 bars.
ASSET_MACD = _of_asset(
    "macd", ("104b",), Aggregation("macd", "close_ticks"), Aggregation("macd_signal", "close_ticks")
)
WINDOW_SPECS = (ASSET_BAR, ASSET_PAST, ASSET_RANGE, ASSET_TREND, ASSET_STRENGTH, ASSET_MACD)
