"""The smallest and the largest value of a window."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockstep.windows.functions.base import HeldRows, RangeFunction, nullable
from lockstep.windows.range_extreme import range_minimum


class Minimum(RangeFunction):
    """The smallest value; null for an empty window."""

    value_type = "int64"

    def over(self, held: HeldRows) -> pl.Series:
        return nullable(range_minimum(held.values, held.low, held.high), held.length > 0)


class Maximum(RangeFunction):
    """The largest value; null for an empty window."""

    value_type = "int64"

    def over(self, held: HeldRows) -> pl.Series:
        # The complement turns the order around and, unlike the negative, never overflows.
        largest = ~range_minimum(np.invert(held.values), held.low, held.high)
        return nullable(largest, held.length > 0)
