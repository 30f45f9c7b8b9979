"""The first row of each of many ranges that was known, and not deleted, at an instant."""

from __future__ import annotations

import numpy as np

from lockstep.windows.deletions import NEVER
from lockstep.windows.events import Events, Ints


def first_known_row(events: Events, low: Ints, high: Ints, as_of: Ints) -> Ints:
    """The first row in [low, high) that is known at `as_of`; `high` if there is none.

    From a row that is not, it goes on by the largest runs of 2^k rows of which none can be:
    all were created later, or all were deleted before. What is left is looked at again.
    """
    row = low.copy()
    open_ = _unknown(events, row, high, as_of, np.arange(len(row)))
    runs = _runs(events, int((high - row)[open_].max())) if len(open_) else []
    while len(open_):
        for k in reversed(range(len(runs))):
            created, retired = runs[k]
            fits = open_[row[open_] + (1 << k) <= high[open_]]
            first, then = row[fits], as_of[fits]
            row[fits[(created[first] > then) | (retired[first] <= then)]] += 1 << k
        open_ = _unknown(events, row, high, as_of, open_)
    return row


def _unknown(events: Events, row: Ints, high: Ints, as_of: Ints, open_: Ints) -> Ints:
    """Those of `open_` that still stand before their end, on a row that is not known."""
    open_ = open_[row[open_] < high[open_]]
    return open_[~events.known(row[open_], as_of[open_])]


def _runs(events: Events, longest: int) -> list[tuple[Ints, Ints]]:
    """The earliest created time and the latest end of all runs of 1, 2, 4, ... rows."""
    deletions = events.deletions
    created = events.created
    retired = np.full(len(events), NEVER) if deletions is None else deletions.retired
    runs = [(created, retired)]
    while 1 << len(runs) <= longest:
        half = 1 << (len(runs) - 1)
        created = np.minimum(created[:-half], created[half:])
        retired = np.maximum(retired[:-half], retired[half:])
        runs.append((created, retired))
    return runs
