"""Where the windows change, and which rows each window holds there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockstep.windows.deletions import NEVER
from lockstep.windows.edges import Edges
from lockstep.windows.events import Events, Ints
from lockstep.windows.range_extreme import range_minimum
from lockstep.windows.spec import WindowSpec


@dataclass(frozen=True)
class ChangePoints:
    """The distinct (entity, s) at which a row arrives or expires, in order.

    `axis` is s on the common axis, `time` is s itself, `settled` the instant up to which
    what is known at s counts: s, or just before it for a snapshot. Rows of one entity that
    a window holds at s are neighbours in `Events`: the rows `low[w] .. high - 1`, counting
    from the batch's first row.
    """

    axis: Ints
    time: Ints
    settled: Ints
    entity: Ints
    low: tuple[Ints, ...]
    high: Ints

    def __len__(self) -> int:
        return len(self.axis)


def change_points(
    events: Events, edges: Edges, spec: WindowSpec, *, start_us: int | None, end_us: int
) -> ChangePoints:
    """The change points whose versions can become final in [start, end).

    Those that settle before the start are left out, but where a row that became known since
    then belongs to them.
    """
    floor = _floor(events, edges, spec, start_us)
    ceiling = np.arange(len(events.keys)) * events.span - events.origin + end_us
    if spec.snapshots:
        axis = _grid_points(events, edges, spec.grid_us, floor, ceiling)
    else:
        axis = _edge_points(events, edges, floor, ceiling)
    return points_at(events, edges, spec, axis)


def newest_points(events: Events, edges: Edges, spec: WindowSpec, until_us: Ints) -> ChangePoints:
    """The last change point of each entity that is not after its instant.

    Something has arrived by then of every entity.
    """
    # Nothing of an entity changes any more at the end of its part of the axis.
    until = np.minimum(until_us - events.origin, events.span - 1)
    at = np.arange(len(events.keys)) * events.span + until
    # Where nothing has left a window yet, the edge before is another entity's, or none.
    lasts = [np.append(-1, edge)[np.searchsorted(edge, at, side="right")] for edge in edges.all]
    return points_at(events, edges, spec, np.maximum.reduce(lasts))


def points_at(events: Events, edges: Edges, spec: WindowSpec, axis: Ints) -> ChangePoints:
    """The change points at these places on the axis, in order."""
    high = _arrived(edges, axis)
    entity = events.entity[high - 1]
    time = axis - entity * events.span + events.origin
    return ChangePoints(
        axis=axis,
        time=time,
        settled=time - int(spec.snapshots),
        entity=entity,
        low=tuple(np.searchsorted(expiry, axis, side="right") for expiry in edges.expiry),
        high=high,
    )


def reach(edges: Edges, points: ChangePoints) -> Ints:
    """The first row that belongs to each point: t < s <= t + longest window.

    The others follow, up to `high`. A late one of them replaces the point.
    """
    first: Ints = np.searchsorted(edges.expiry[-1], points.axis)
    return first


def first_known(events: Events, edges: Edges, points: ChangePoints, *, snapshots: bool) -> Ints:
    """When each point became one: the earliest created time of the rows that make it so.

    Those are the rows that arrive or expire there; a snapshot is one for every row that
    belongs to it.
    """
    if snapshots:
        return range_minimum(events.created, reach(edges, points), points.high)
    earliest = np.full(len(points), NEVER)
    for edge, after in zip(edges.all, (points.high, *points.low), strict=True):
        before = np.searchsorted(edge, points.axis)
        created = range_minimum(events.created, before, after)
        np.minimum(earliest, created, out=earliest, where=before < after)
    return earliest


def _floor(events: Events, edges: Edges, spec: WindowSpec, start_us: int | None) -> Ints | None:
    """For each entity, the first place on the axis that can still change; None for all."""
    if start_us is None:
        return None
    floor = np.arange(len(events.keys)) * events.span - events.origin + start_us
    new = np.flatnonzero(events.created >= start_us)
    np.minimum.at(floor, events.entity[new], edges.arrival[new] - int(spec.snapshots))
    return floor


def _edge_points(events: Events, edges: Edges, floor: Ints | None, ceiling: Ints) -> Ints:
    """The distinct edges in [floor, ceiling) of their entity; stable sort, as each is sorted."""
    parts = []
    for edge in edges.all:
        inside = edge < ceiling[events.entity]
        if floor is not None:
            inside &= edge >= floor[events.entity]
        parts.append(edge[inside])
    merged = np.concatenate(parts)
    merged.sort(kind="stable")
    new = np.append(True, merged[1:] != merged[:-1])[: len(merged)]
    distinct: Ints = merged[new]
    return distinct


def _grid_points(
    events: Events, edges: Edges, grid: int, floor: Ints | None, ceiling: Ints
) -> Ints:
    """Every point of the grid in (floor, ceiling] of its entity to which a row belongs.

    A row does from its arrival to its last expiry. Cut at the row before, as both rise,
    each row adds what follows the row before it.
    """
    last = edges.expiry[-1]
    follows = np.append(False, events.entity[1:] == events.entity[:-1])
    first = np.where(
        follows, np.maximum(edges.arrival, np.append(0, last[:-1] + grid)), edges.arrival
    )
    if floor is not None:
        behind = floor[events.entity] + 1 - first
        first += np.maximum(-(-behind // grid), 0) * grid
    last = np.minimum(last, ceiling[events.entity])
    count = np.maximum((last - first) // grid + 1, 0)
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    points: Ints = np.repeat(first, count) + within * grid
    return points


def _arrived(edges: Edges, axis: Ints) -> Ints:
    """How many rows have arrived at each point; the last of them is of its entity."""
    rows: Ints = np.searchsorted(edges.arrival, axis, side="right")
    return rows
