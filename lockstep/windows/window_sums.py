"""The exact sums over each window of every version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from lockstep.windows.change_points import ChangePoints
from lockstep.windows.events import Events, Ints
from lockstep.windows.squares import join_limbs, square_limb
from lockstep.windows.versions import Versions

_What = Literal["rows", "values", 0, 1, 2]


@dataclass(frozen=True)
class ColumnSums:
    """The sums of one column over one window, of the rows with a one in `where`."""

    sums: SumTable
    w: int
    column: str | None
    where: str | None

    def count(self) -> Ints:
        """How many rows the window holds."""
        return self.sums.over(self.w, "rows", None, self.where)

    def total(self) -> Ints:
        """The sum of the column."""
        return self.sums.over(self.w, "values", self.column, self.where)

    def squares(self) -> pl.Series:
        """The sum of the column's squares, Int128."""
        low, middle, high = (self._limb(limb) for limb in (0, 1, 2))
        return join_limbs((low, middle, high))

    def _limb(self, limb: Literal[0, 1, 2]) -> Ints:
        return self.sums.over(self.w, limb, self.column, self.where)


class SumTable:
    """Sums over the windows of every version, each computed once.

    A version's sum is that over all rows that the window holds, less that over those the
    version misses; both are differences of running sums. A deletion counts as minus the
    row that it retracts.
    """

    def __init__(self, events: Events, points: ChangePoints, stored: Versions) -> None:
        self._events, self._points, self._stored = events, points, stored
        self._sums: dict[tuple[int, _What, str | None, str | None], Ints] = {}

    def over(self, w: int, what: _What, column: str | None, where: str | None) -> Ints:
        """The sum over window `w` of one, the value, or a limb of its square, per row."""
        key = (w, what, column, where)
        if key not in self._sums:
            self._sums[key] = self._sum(w, self._weight(what, column, where))
        return self._sums[key]

    def _sum(self, w: int, weight: Ints) -> Ints:
        points, stored = self._points, self._stored
        running = np.append(0, np.cumsum(weight))
        held: Ints = (running[points.high] - running[points.low[w]])[stored.point]
        return held if stored.late is None else held - stored.late.missing(points, w, weight)

    def _weight(self, what: _What, column: str | None, where: str | None) -> Ints:
        rows = self._events
        weight = np.ones(len(rows), dtype=np.int64)
        if rows.deletions is not None:
            weight = weight * rows.deletions.sign
        if where is not None:
            weight = weight * rows.values[where]
        if what == "rows" or column is None:
            return weight
        if what == "values":
            return weight * rows.values[column]
        return weight * square_limb(rows.values[column], what)
