"""Until when a step is exact, if nothing new arrives."""

from __future__ import annotations

import numpy as np

from lockstep.windows.change_points import ChangePoints
from lockstep.windows.deletions import NEVER
from lockstep.windows.edges import Edges
from lockstep.windows.events import Events, Ints
from lockstep.windows.spec import WindowSpec
from lockstep.windows.versions import Versions


def valid_until(
    events: Events, edges: Edges, points: ChangePoints, stored: Versions, spec: WindowSpec
) -> Ints:
    """When the first row that each version knows leaves one of its windows, in microseconds.

    For a snapshot, the next one, while the longest window holds a row. `NEVER` where every
    window is empty.
    """
    soonest = np.full(len(stored), NEVER)
    high = points.high[stored.point]
    windows = range(len(spec.windows))
    for w in windows[-1:] if spec.snapshots else windows:
        row = _first_known_row(events, stored, points.low[w][stored.point], high)
        held = row < high
        oldest = np.minimum(row, len(events) - 1)
        leaves = edges.expiry[w][oldest] - events.offset[oldest]
        if spec.snapshots:
            leaves = points.time[stored.point] + spec.grid_us
        np.minimum(soonest, leaves, out=soonest, where=held)
    return soonest


def _first_known_row(events: Events, stored: Versions, low: Ints, high: Ints) -> Ints:
    """The first row in [low, high) that the version knows; `high` if there is none."""
    if stored.late is None and events.deletions is None:
        return low
    row = low.copy()
    open_ = np.flatnonzero(row < high)
    while len(open_):
        unknown = ~events.known(row[open_], stored.known_as_of[open_])
        open_ = open_[unknown]
        row[open_] += 1
        open_ = open_[row[open_] < high[open_]]
    return row
