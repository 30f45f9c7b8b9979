"""The statistics of a window as SQL, each from its definition in `docs/windows.md`.

Written for DuckDB. Whole numbers are exact, and one division of two of them gives the bits of
a float64. Those of bars are sums with weights, where the window core goes from bar to bar: they
are equal up to rounding, not to the bit.
"""

from __future__ import annotations

from collections.abc import Callable

# Given a column and a filter that stands behind an aggregate.
Aggregate = Callable[[str, str], str]


def _sum(column: str, where: str) -> str:
    return f"CAST(sum({column}){where} AS BIGINT)"


def _mean(column: str, where: str) -> str:
    return f"CAST({_sum(column, where)} AS DOUBLE) / count(*){where}"


def _deviation(column: str, where: str) -> str:
    """By way of text, which DuckDB reads correctly rounded; its own cast of 128 bits is not."""
    n, s1 = f"CAST(count(*){where} AS HUGEINT)", f"sum({column}){where}"
    s2 = f"sum(CAST({column} AS HUGEINT) * {column}){where}"
    spread, pairs = (
        f"CAST(CAST({x} AS VARCHAR) AS DOUBLE)"
        for x in (f"({n} * {s2} - {s1} * {s1})", f"nullif({n} * ({n} - 1), 0)")
    )
    return f"sqrt({spread} / {pairs})"


def _median(column: str, where: str) -> str:
    ordered = f"list({column} ORDER BY {column}){where}"
    middle = f"{ordered}[(len({ordered}) + 1) // 2] + {ordered}[len({ordered}) // 2 + 1]"
    return f"CAST({middle} AS DOUBLE) / 2"


AGGREGATES: dict[str, Aggregate] = {
    "count": lambda _, where: f"count(*){where}",
    "sum": _sum,
    "mean": _mean,
    "rate": _mean,
    "std": _deviation,
    "min": lambda column, where: f"min({column}){where}",
    "max": lambda column, where: f"max({column}){where}",
    "median": _median,
    "distinct": lambda column, where: f"count(DISTINCT {column}){where}",
    "active_days": lambda _, where: f"count(DISTINCT CAST(make_timestamp(event) AS DATE)){where}",
    "last": lambda column, where: f"arg_min({column}, back){where}",
    "last_event_time": lambda _, where: f"max(event){where}",
}
# What a window without rows has; the others are null.
EMPTY = {"count": 0, "sum": 0, "distinct": 0, "active_days": 0}


def weight(span: str) -> str:
    """What a bar's weight is of the next one's in an exponential mean of this span."""
    return f"(1 - 2 / (greatest({span}, 1.0) + 1))"


# Spans in bars, of a window of `bars`; see `lockstep/windows/functions/oscillators.py` for whose.
SLOW_SPAN = "bars / 4.0"
FAST_SPAN = "bars / 4.0 * 12 / 26"
_SIGNAL_SPAN = "bars / 4.0 * 9 / 26"
_STRENGTH_SPAN = "2 * (bars / 8.0) - 1"


def _smoothed(value: str, span: str) -> str:
    weights = f"pow({weight(span)}, back - 1)"
    return f"sum({value} * {weights}) / sum({weights})"


def _strength(column: str) -> str:
    weights = f"pow({weight(_STRENGTH_SPAN)}, back - 1)"
    rises, falls = (
        f"sum(greatest({sign}({column} - before), 0) * {weights})" for sign in ("", "-")
    )
    return (
        f"CASE WHEN count(before) = 0 THEN NULL WHEN {rises} + {falls} = 0 THEN 50.0"
        f" ELSE 100 * {rises} / ({rises} + {falls}) END"
    )


def _return_deviation(column: str) -> str:
    return (
        f"CASE WHEN count(before) >= 2 AND min(before) > 0"
        f" THEN stddev_samp({column} / CAST(before AS DOUBLE) - 1) END"
    )


def _slope(column: str) -> str:
    return (
        f"CASE WHEN count(*) >= 2 AND sum({column}) > 0"
        f" THEN regr_slope({column}, -back) / avg({column}) END"
    )


# Given a column; `back` is 1 for the newest bar, `before` the bar before, `difference` the fast
# less the slow mean so far.
BAR_AGGREGATES: dict[str, Callable[[str], str]] = {
    "first": lambda column: f"arg_max({column}, back)",
    "ema": lambda column: _smoothed(column, SLOW_SPAN),
    "slope": _slope,
    "return_std": _return_deviation,
    "rsi": _strength,
    "macd": lambda _: "arg_min(difference, back)",
    "macd_signal": lambda _: _smoothed("difference", _SIGNAL_SPAN),
}


def running_mean(column: str, span: str) -> str:
    """The exponential mean of a column up to each bar, over a window `upto`."""
    weights = f"pow({weight(span)}, back - held)"
    mean = f"sum({column} * {weights}) OVER upto / sum({weights}) OVER upto"
    return f"CASE WHEN {weight(span)} = 0 THEN {column} ELSE {mean} END"
