"""How many rows are copied out for versions that miss late rows."""

from __future__ import annotations

from histories import FAR, MINUTE, frame, spec_of
from step_oracle import Row

from lockstep.windows.change_points import change_points
from lockstep.windows.edges import Edges
from lockstep.windows.events import prepare
from lockstep.windows.held_rows import panels
from lockstep.windows.spec import Aggregation
from lockstep.windows.versions import versions


def test_versions_that_miss_the_same_rows_share_one_copy() -> None:
    spec = spec_of(Aggregation("median", "value"), windows=("5m",))
    on_time = [Row(1, t, t, 1) for t in range(100)]
    late = Row(1, 10, MINUTE, 1)
    (events,) = prepare(frame([*on_time, late]), spec, end_us=FAR)
    edges = Edges.of(events, spec)
    points = change_points(events, edges, spec, start_us=None, end_us=FAR)
    stored = versions(events, edges, points, spec, start_us=None)
    complete, *copies = panels(events, points, stored)
    assert [(len(each.versions), len(each.rows)) for each in copies] == [(90, 100)]
    assert len(complete.versions) == len(stored) - 90
