"""Until when a step is exact, if nothing new arrives."""

from __future__ import annotations

import numpy as np

from lockstep.windows.change_points import ChangePoints
from lockstep.windows.deletions import NEVER
from lockstep.windows.edges import Edges
from lockstep.windows.events import Events, Ints
from lockstep.windows.first_known_row import first_known_row
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
        row = points.low[w][stored.point]
        if stored.late is not None or events.deletions is not None:
            row = first_known_row(events, row, high, stored.known_as_of)
        held = row < high
        oldest = np.minimum(row, len(events) - 1)
        leaves = edges.expiry[w][oldest] - events.offset[oldest]
        if spec.snapshots:
            leaves = points.time[stored.point] + spec.grid_us
        np.minimum(soonest, leaves, out=soonest, where=held)
    return soonest
