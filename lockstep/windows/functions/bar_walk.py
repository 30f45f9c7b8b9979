"""Bar after bar through the windows of all versions at once, the oldest first.

What is computed on the way is in float64 by one sequence of operations for each version,
which depends on the bars that it holds and on nothing else: neither on the other versions
that are computed beside it nor on how far its history reaches back. Addition,
multiplication, division and the square root are rounded correctly by IEEE 754 on every
machine, so that a rebuild, an increment and a Spark task give the same bits; exponentials
and logarithms are not, and are not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lockstep.windows.functions.base import HeldRows, Ints

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def newest_bars(held: HeldRows) -> HeldRows:
    """At most as many rows as the window has bars: the newest, where some come too close."""
    return replace(held, low=np.maximum(held.low, held.high - held.bars))


def walk(held: HeldRows, *, skip: int = 0) -> Iterator[tuple[Ints, Flags]]:
    """The row of each version and whether it has one, its oldest `skip` rows left out.

    Versions are aligned at their newest row. A row that a version has not is any row.
    """
    first = held.low + skip
    for back in range(int((held.high - first).max(initial=0)), 0, -1):
        row = held.high - back
        yield np.maximum(row, 0), row >= first


class RunningMean:
    """Exponentially weighted means of one value a bar, one mean for each version.

    With a span of s each bar's weight is 1 - 2 / (s + 1) of the next one's. Weights are
    divided by their sum, so that a window's first bars are no special case: pandas'
    `ewm(span=s, adjust=True)`.
    """

    def __init__(self, span: float, versions: int) -> None:
        self._keep = 1 - 2 / (max(span, 1.0) + 1)
        self.total: Floats = np.zeros(versions)
        self._weight: Floats = np.zeros(versions)

    def add(self, values: Floats, present: Flags) -> None:
        """Takes the next bar of those versions that have one."""
        self.total = np.where(present, self.total * self._keep + values, self.total)
        self._weight = np.where(present, self._weight * self._keep + 1, self._weight)

    @property
    def mean(self) -> Floats:
        """The means so far; zero where no bar came yet."""
        return self.total / np.where(self._weight > 0, self._weight, 1)
