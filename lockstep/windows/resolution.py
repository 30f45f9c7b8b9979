"""What putting the windows on a grid saves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl

from lockstep.windows.change_points import change_points, first_known
from lockstep.windows.edges import Edges
from lockstep.windows.events import Events, prepare
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import WindowSpec


def change_points_saved(
    events: pl.DataFrame, spec: WindowSpec, *, end: datetime, start: datetime | None = None
) -> int:
    """How many change points the grid merged, of those new in [start, end).

    0 without a resolution.

    Negative for snapshots that repeat what has not changed more often than they merge.

    Raises:
        EventsError: the events are not what the spec declares.
    """
    if spec.resolution is None:
        return 0
    exact = replace(spec, resolution=None, snapshots=False)
    end_us = microseconds(end)
    start_us = microseconds(start) if start else None
    saved = 0
    for batch in prepare(events, spec, end_us=end_us):
        saved += _new_points(batch, exact, start_us, end_us)
        saved -= _new_points(batch, spec, start_us, end_us)
    return saved


def _new_points(events: Events, spec: WindowSpec, start_us: int | None, end_us: int) -> int:
    """How many change points have their first version in the interval."""
    edges = Edges.of(events, spec)
    points = change_points(events, edges, spec, start_us=start_us, end_us=end_us)
    if start_us is None:
        return len(points)
    known = first_known(events, edges, points, snapshots=spec.snapshots)
    return int(np.count_nonzero(np.maximum(points.settled, known) >= start_us))
