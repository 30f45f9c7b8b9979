"""The statistics that a window can have, by name.

A statistic is either finished from exact sums (`SumFunction`), which late rows only add to,
or found in the rows that a window holds (`RangeFunction`). One that is registered here is
put through the shared checks of the tests by that alone.
"""

from __future__ import annotations

from lockstep.windows.functions.bars import ExponentialMean, First, ReturnDeviation, Slope
from lockstep.windows.functions.base import (
    HeldRows,
    RangeFunction,
    SumFunction,
    ValueType,
    WindowFunction,
    WindowSums,
)
from lockstep.windows.functions.distinct import ActiveDays, Distinct
from lockstep.windows.functions.extremes import Maximum, Minimum
from lockstep.windows.functions.last import Last, LastEventTime
from lockstep.windows.functions.median import Median
from lockstep.windows.functions.oscillators import Macd, MacdSignal, RelativeStrength
from lockstep.windows.functions.sums import Count, Mean, Rate, StandardDeviation, Sum

FUNCTIONS: dict[str, WindowFunction] = {
    "count": Count(),
    "sum": Sum(),
    "mean": Mean(),
    "rate": Rate(),
    "std": StandardDeviation(),
    "min": Minimum(),
    "max": Maximum(),
    "median": Median(),
    "distinct": Distinct(),
    "active_days": ActiveDays(),
    "last": Last(),
    "last_event_time": LastEventTime(),
    "first": First(),
    "ema": ExponentialMean(),
    "slope": Slope(),
    "return_std": ReturnDeviation(),
    "rsi": RelativeStrength(),
    "macd": Macd(),
    "macd_signal": MacdSignal(),
}

__all__ = [
    "FUNCTIONS",
    "HeldRows",
    "RangeFunction",
    "SumFunction",
    "ValueType",
    "WindowFunction",
    "WindowSums",
]
