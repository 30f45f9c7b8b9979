"""How many different values, or days, a window holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from lockstep.windows.functions.base import HeldRows, Ints, RangeFunction

_DAY_US = 86_400_000_000


class Distinct(RangeFunction):
    """The number of different values, such as counterparts; 0 for an empty window."""

    value_type = "int64"
    takes_any_id = True

    def over(self, held: HeldRows) -> pl.Series:
        return pl.Series(_distinct(held))


class ActiveDays(RangeFunction):
    """The number of UTC days with a row; 0 for an empty window."""

    value_type = "int64"
    needs_column = False

    def over(self, held: HeldRows) -> pl.Series:
        return pl.Series(_distinct(replace(held, values=held.event // _DAY_US)))


def _distinct(held: HeldRows) -> Ints:
    """Counts each value once, at the first row of its kind that a version holds.

    As the bounds never fall, row i is held by one run of versions, and is the first of its
    kind in those that no longer hold the row of its kind before it: one plus and one minus
    for each row, and a running sum.
    """
    if not len(held.values):
        return np.zeros(len(held.low), dtype=np.int64)
    rows = np.arange(len(held.values))
    enters = np.searchsorted(held.high, rows, side="right")
    leaves = np.searchsorted(held.low, rows, side="right")
    order = np.lexsort((rows, held.values, held.group))
    values, group = held.values[order], held.group[order]
    alike = np.append(False, (values[1:] == values[:-1]) & (group[1:] == group[:-1]))
    first = enters[order]
    first[alike] = np.maximum(first[alike], leaves[order[np.flatnonzero(alike) - 1]])
    last = leaves[order]
    counted = first < last
    size = len(held.low) + 1
    change = np.bincount(first[counted], minlength=size) - np.bincount(
        last[counted], minlength=size
    )
    running: Ints = np.cumsum(change)[:-1]
    return running
