"""Indicators that are means of differences: relative strength, and the difference of two means.

Their recursions begin at the window's first bar, with normalised weights in place of a
seed. `newest_bars` says which bars count.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from lockstep.windows.functions.bar_walk import Flags, Floats, RunningMean, newest_bars, walk
from lockstep.windows.functions.bars import BarFunction
from lockstep.windows.functions.base import HeldRows, nullable


class RelativeStrength(BarFunction):
    """Wilder's relative strength index from value to value, 0 to 100; null below two bars.

    100 U / (U + D) with U and D Wilder's means of the rises and of the falls; 50 where
    nothing moved. His period p, whose mean keeps 1 - 1 / p of itself at each bar, is an
    eighth of the window's bars: 112 bars for p = 14 (J. W. Wilder, New Concepts in Technical
    Trading Systems, 1978).
    """

    def over(self, held: HeldRows) -> pl.Series:
        held = newest_bars(held)
        change = np.append(np.zeros(min(len(held.values), 1)), np.diff(held.values))
        span = 2 * (held.bars / 8) - 1
        rises, falls = (RunningMean(span, len(held.low)) for _ in range(2))
        for row, present in walk(held, skip=1):
            rises.add(np.maximum(change[row], 0), present)
            falls.add(np.maximum(-change[row], 0), present)
        both = rises.total + falls.total
        index = np.where(both > 0, 100 * rises.total / np.where(both > 0, both, 1), 50.0)
        return nullable(index, held.length > 1)


class Macd(BarFunction):
    """The fast less the slow exponential mean; null for an empty window.

    The slow span is a quarter of the window's bars, the fast one 12 / 26 of that: 12 and 26
    for a window of 104 bars (G. Appel, Technical Analysis: Power Tools for Active Investors,
    2005).
    """

    def over(self, held: HeldRows) -> pl.Series:
        held = newest_bars(held)
        difference = np.zeros(len(held.low))
        for value, present in _differences(held):
            difference = np.where(present, value, difference)
        return nullable(difference, held.length > 0)


class MacdSignal(BarFunction):
    """The exponential mean of `Macd` over its bars, of 9 / 26 of the slow span; null for none."""

    def over(self, held: HeldRows) -> pl.Series:
        held = newest_bars(held)
        signal = RunningMean(held.bars / 4 * 9 / 26, len(held.low))
        for value, present in _differences(held):
            signal.add(value, present)
        return nullable(signal.mean, held.length > 0)


def _differences(held: HeldRows) -> Iterator[tuple[Floats, Flags]]:
    """The fast less the slow mean after each bar, and which versions have that bar."""
    values, slow_span = held.values.astype(np.float64), held.bars / 4
    fast = RunningMean(slow_span * 12 / 26, len(held.low))
    slow = RunningMean(slow_span, len(held.low))
    for row, present in walk(held):
        fast.add(values[row], present)
        slow.add(values[row], present)
        yield fast.mean - slow.mean, present
