"""The newest row of a window."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockstep.windows.functions.base import HeldRows, Ints, RangeFunction, nullable


class Last(RangeFunction):
    """The newest row's value; null for an empty window.

    Of rows that tie on the event time the one created last, and of those that tie on both
    the one with the largest value: of several columns of which a spec asks the last, in the
    spec's order, so that all are of one row.
    """

    value_type = "int64"
    orders_ties = True

    def over(self, held: HeldRows) -> pl.Series:
        return _newest(held, held.values)


class LastEventTime(RangeFunction):
    """The newest row's event time in microseconds UTC; null for an empty window."""

    value_type = "int64"
    needs_column = False

    def over(self, held: HeldRows) -> pl.Series:
        return _newest(held, held.event)


def _newest(held: HeldRows, values: Ints) -> pl.Series:
    present = held.length > 0
    if not len(values):
        return nullable(np.zeros(len(present), dtype=np.int64), present)
    return nullable(values[np.maximum(held.high - 1, 0)], present)
