"""Statistics that are finished from exact sums."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockstep.windows.functions.base import SumFunction, WindowSums, nullable


class Count(SumFunction):
    """How many rows; 0 for an empty window."""

    value_type = "int64"
    needs_column = False

    def finish(self, sums: WindowSums) -> pl.Series:
        return pl.Series(sums.count())


class Sum(SumFunction):
    """The sum of an integer column; 0 for an empty window."""

    value_type = "int64"

    def finish(self, sums: WindowSums) -> pl.Series:
        return pl.Series(sums.total())


class Mean(SumFunction):
    """The sum over the count, one float64 division; null for an empty window."""

    value_type = "float64"

    def finish(self, sums: WindowSums) -> pl.Series:
        count = sums.count()
        return nullable(sums.total() / np.maximum(count, 1), count > 0)


class Rate(Mean):
    """The share of ones in a 0/1 column; null for an empty window."""


class StandardDeviation(SumFunction):
    """The sample standard deviation; null for fewer than two rows.

    sqrt((n S2 - S1^2) / (n (n - 1))) with S1 and S2 the sums of the values and of their
    squares: the numerator is exact in 128 bits, so nothing is lost by the subtraction.
    """

    value_type = "float64"
    needs_squares = True

    def finish(self, sums: WindowSums) -> pl.Series:
        count = sums.count()
        n, total = pl.Series(count).cast(pl.Int128), pl.Series(sums.total()).cast(pl.Int128)
        spread = (n * sums.squares() - total * total).cast(pl.Float64).to_numpy()
        pairs = (n * n - n).cast(pl.Float64).to_numpy()
        return nullable(np.sqrt(spread / np.maximum(pairs, 1.0)), count > 1)
