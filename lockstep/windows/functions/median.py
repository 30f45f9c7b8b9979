"""The exact median of a window."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockstep.windows.functions.base import HeldRows, RangeFunction, nullable
from lockstep.windows.range_rank import kth_smallest


class Median(RangeFunction):
    """The middle value, or half the sum of the two middle ones; null for an empty window."""

    value_type = "float64"

    def over(self, held: HeldRows) -> pl.Series:
        middle = [np.maximum(held.length - 1, 0) // 2, held.length // 2]
        lower, upper = kth_smallest(held.group, held.values, held.low, held.high, middle)
        return nullable((lower + upper) / 2, held.length > 0)
