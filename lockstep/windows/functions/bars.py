"""Statistics of the bars of a window: where they began, their mean, direction and spread.

All are of the newest bars that the window has room for, as though no bar were missing
between two that are there.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl

from lockstep.windows.functions.bar_walk import Floats, RunningMean, newest_bars, walk
from lockstep.windows.functions.base import HeldRows, RangeFunction, ValueType, nullable


class BarFunction(RangeFunction):
    """A statistic that means something for rows at a regular distance only."""

    value_type: ClassVar[ValueType] = "float64"
    needs_bar = True
    orders_ties = True


class First(BarFunction):
    """The oldest bar's value; null for an empty window. Of n bars it is n - 1 before the newest."""

    value_type = "int64"

    def over(self, held: HeldRows) -> pl.Series:
        held = newest_bars(held)
        present = held.length > 0
        if not len(held.values):
            return nullable(np.zeros(len(present), dtype=np.int64), present)
        return nullable(held.values[np.minimum(held.low, len(held.values) - 1)], present)


class ExponentialMean(BarFunction):
    """The exponential mean with a span of a quarter of the window's bars; null for none.

    Four spans of bars leave out exp(-8) = .03 % of the weight of an endless history.
    """

    def over(self, held: HeldRows) -> pl.Series:
        held = newest_bars(held)
        values = held.values.astype(np.float64)
        mean = RunningMean(held.bars / 4, len(held.low))
        for row, present in walk(held):
            mean.add(values[row], present)
        return nullable(mean.mean, held.length > 0)


class Slope(BarFunction):
    """The slope of the least-squares line over the bars' numbers, a bar, over their mean.

    sum((k - mean k) x) / sum((k - mean k)^2) / mean x with k = 0..m-1, which is
    6 sum((2 k - m + 1) x) / ((m^2 - 1) sum(x)). Null below two bars, or where the mean is
    not above zero.
    """

    def over(self, held: HeldRows) -> pl.Series:
        held = newest_bars(held)
        values, length = held.values.astype(np.float64), held.length
        lean, total = np.zeros(len(length)), np.zeros(len(length))
        for row, present in walk(held):
            place = 2 * (row - held.low) - length + 1
            lean = np.where(present, lean + place * values[row], lean)
            total = np.where(present, total + values[row], total)
        below = np.maximum(length * length - 1, 1) * total
        present = (length > 1) & (total > 0)
        return nullable(6 * lean / np.where(present, below, 1), present)


class ReturnDeviation(BarFunction):
    """The sample standard deviation of the returns from bar to bar: x / previous x - 1.

    Null below three bars, or where one that is divided by is not above zero.
    """

    def over(self, held: HeldRows) -> pl.Series:
        held = newest_bars(held)
        returns, count = _returns(held), held.length - 1
        total, squares = np.zeros(len(count)), np.zeros(len(count))
        for row, present in walk(held, skip=1):
            total = np.where(present, total + returns[row], total)
        mean = total / np.maximum(count, 1)
        for row, present in walk(held, skip=1):
            squares = np.where(present, squares + (returns[row] - mean) ** 2, squares)
        deviation = np.sqrt(squares / np.maximum(count - 1, 1))
        return nullable(deviation, (count > 1) & ~np.isnan(deviation))


def _returns(held: HeldRows) -> Floats:
    """From the row before to each row; NaN where there is nothing to divide by."""
    values = held.values.astype(np.float64)
    before = np.append(np.zeros(min(len(values), 1)), values[:-1])
    ratio = np.divide(values, before, out=np.full(len(values), np.nan), where=before > 0)
    returns: Floats = ratio - 1
    return returns
