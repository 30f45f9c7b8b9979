"""What putting the windows on a grid saves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import polars as pl

from lockstep.windows.change_points import change_points
from lockstep.windows.edges import Edges
from lockstep.windows.events import prepare
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import WindowSpec


def change_points_saved(
    events: pl.DataFrame, spec: WindowSpec, *, end: datetime, start: datetime | None = None
) -> int:
    """How many change points of [start, end) the grid merged; 0 without a resolution.

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
        counts = [
            len(change_points(batch, Edges.of(batch, s), s, start_us=start_us, end_us=end_us))
            for s in (exact, spec)
        ]
        saved += counts[0] - counts[1]
    return saved
