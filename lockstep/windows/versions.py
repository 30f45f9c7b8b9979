"""Which versions of a change point are stored, once rows may arrive late.

Rows are folded in created order, and a row replaces every change point s with
t < s <= t + longest window. Stored for s: the newest version with created <= s, and
every version created after s. So the versions of s are its *baseline* (what was known
at s) and one more for each later created time of a row that s belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lockstep.windows.change_points import NEVER, ChangePoints, first_known, next_expiry, reach
from lockstep.windows.errors import EventsError
from lockstep.windows.events import Events, Ints

# Versions that late rows add to one batch; about 100 bytes each while they are made.
_MOST_LATE_PAIRS = 50_000_000


@dataclass(frozen=True)
class Versions:
    """Stored rows as references to change points.

    `point` is the index of the change point, `created` the version's created time,
    `valid_until` the next scheduled expiry of a row it knows (`NEVER` if it knows none).
    `missing_count(w)` and `missing_sum(w, values)` are what rows created later hold of
    the window w: the version's value is that of all rows minus it.
    """

    point: Ints
    created: Ints
    valid_until: Ints
    missing_count: Callable[[int], Ints]
    missing_sum: Callable[[int, Ints], Ints]


def versions(events: Events, points: ChangePoints, lengths_us: tuple[int, ...]) -> Versions:
    """The versions of all change points, ordered by point, then created time."""
    if np.any(events.created > events.event + 1):
        return _with_late_rows(events, points, lengths_us)
    return _on_time(events, points, lengths_us)


def _on_time(events: Events, points: ChangePoints, lengths_us: tuple[int, ...]) -> Versions:
    """One version a point: with every row known by t + 1, s knows all rows before it."""
    nothing = np.zeros(len(points.axis), dtype=np.int64)
    return Versions(
        point=np.arange(len(points.axis)),
        created=events.created[points.high - 1],
        valid_until=next_expiry(events, points, lengths_us),
        missing_count=lambda _: nothing,
        missing_sum=lambda _, __: nothing,
    )


@dataclass(frozen=True)
class _Groups:
    """All rows ordered by (entity, created, event): a group shares entity and created time.

    `rows` are row numbers in `Events`; `place` is group * number of rows + row number,
    sorted, so that the members of a group within a range of rows are found by bisection.
    """

    rows: Ints
    number: Ints
    place: Ints
    entity: Ints
    created: Ints

    @classmethod
    def of(cls, events: Events) -> _Groups:
        rows = np.lexsort((events.created, events.entity))
        entity, created = events.entity[rows], events.created[rows]
        new = np.append(True, (entity[1:] != entity[:-1]) | (created[1:] != created[:-1]))
        number = np.cumsum(new) - 1
        first = np.flatnonzero(new)
        return cls(rows, number, number * len(rows) + rows, entity[first], created[first])

    def bisect(self, group: Ints, row: Ints) -> Ints:
        """How many rows stand before row `row` of group `group`."""
        before: Ints = np.searchsorted(self.place, group * len(self.rows) + row)
        return before


def _with_late_rows(events: Events, points: ChangePoints, lengths_us: tuple[int, ...]) -> Versions:
    groups = _Groups.of(events)
    point, group = _late_pairs(events, points, groups, lengths_us[-1])
    known_from = first_known(events, points)
    baseline = np.flatnonzero(known_from <= points.time)
    shown = groups.created[group] >= known_from[point]
    all_point = np.concatenate([baseline, point[shown]])
    all_created = np.concatenate(
        [
            _known_at(points, groups, baseline, reach(events, points, lengths_us)),
            groups.created[group[shown]],
        ]
    )
    known_as_of = np.concatenate([points.time[baseline], groups.created[group[shown]]])
    order = np.lexsort((known_as_of, all_point))
    all_point, all_created, known_as_of = all_point[order], all_created[order], known_as_of[order]
    # What a version misses are the pairs of its point that stand behind it.
    behind = np.concatenate([np.searchsorted(point, baseline), np.flatnonzero(shown) + 1])[order]
    stop = np.searchsorted(point, all_point, side="right")

    def missing(lengths_index: int, weight: Ints) -> Ints:
        total = np.append(0, np.cumsum(weight[groups.rows]))
        low = groups.bisect(group, points.low[lengths_index][point])
        high = groups.bisect(group, points.high[point])
        running = np.append(0, np.cumsum(total[high] - total[low]))
        later: Ints = running[stop] - running[behind]
        return later

    return Versions(
        point=all_point,
        created=all_created,
        valid_until=_next_known_expiry(events, points, lengths_us, all_point, known_as_of),
        missing_count=lambda w: missing(w, np.ones(len(events), dtype=np.int64)),
        missing_sum=missing,
    )


def _late_pairs(
    events: Events, points: ChangePoints, groups: _Groups, longest_us: int
) -> tuple[Ints, Ints]:
    """All (point, group) such that a row of the group belongs to s but was created after s.

    Within a group, rows are in time order and their ranges of points overlap only with
    the row before, so that cutting each range at the end of the one before gives every
    pair once, however many rows arrive together. Ordered by point, then created time.
    """
    rows = groups.rows
    offset = events.entity[rows] * events.span - events.origin
    until = np.minimum(events.created[rows], events.event[rows] + longest_us + 1)
    start = np.searchsorted(points.axis, offset + events.event[rows] + 1)
    stop = np.searchsorted(points.axis, offset + until)
    same_group = np.append(False, groups.number[1:] == groups.number[:-1])
    start = np.where(same_group, np.maximum(start, np.append(0, stop[:-1])), start)
    length = np.maximum(stop - start, 0)
    if length.sum() > _MOST_LATE_PAIRS:
        raise EventsError.too_many_versions(int(length.sum()), _MOST_LATE_PAIRS, len(events))
    point = np.repeat(start - np.append(0, np.cumsum(length)[:-1]), length)
    point += np.arange(len(point))
    group = np.repeat(groups.number, length)
    order = np.lexsort((group, point))
    return point[order], group[order]


def _known_at(points: ChangePoints, groups: _Groups, at: Ints, reached: Ints) -> Ints:
    """The newest created time <= s among the rows that s belongs to, for the points `at`.

    Looks at the newest group known at s; where no row of it belongs to s (it arrived
    late and is long out of every window), at the one before, until all are settled.
    """
    group = _newest_group(points, groups, at)
    open_ = np.arange(len(at))
    while len(open_):
        g, p = group[open_], at[open_]
        held = groups.bisect(g, points.high[p]) > groups.bisect(g, reached[p])
        open_ = open_[~held]
        group[open_] -= 1
    return groups.created[group]


def _newest_group(points: ChangePoints, groups: _Groups, at: Ints) -> Ints:
    """The last group of the point's entity with created <= s."""
    both_entity = np.concatenate([groups.entity, points.entity[at]])
    both_time = np.concatenate([groups.created, points.time[at]])
    is_point = np.repeat([0, 1], [len(groups.entity), len(at)])
    order = np.lexsort((is_point, both_time, both_entity))
    seen = np.cumsum(is_point[order] == 0) - 1
    group = np.empty(len(at), dtype=np.int64)
    queries = order >= len(groups.entity)
    group[order[queries] - len(groups.entity)] = seen[queries]
    return group


def _next_known_expiry(
    events: Events,
    points: ChangePoints,
    lengths_us: tuple[int, ...],
    point: Ints,
    known_as_of: Ints,
) -> Ints:
    """When the first row that the version knows leaves one of its windows."""
    soonest = np.full(len(point), NEVER)
    for low, length in zip(points.low, lengths_us, strict=True):
        row = _first_known_row(events, low[point], points.high[point], known_as_of)
        found = row < points.high[point]
        oldest = events.event[np.minimum(row, len(events) - 1)]
        np.minimum(soonest, oldest + length, out=soonest, where=found)
    return soonest


def _first_known_row(
    events: Events, low: Ints, high: Ints, known_as_of: Ints
) -> npt.NDArray[np.int64]:
    """The first row in [low, high) created by `known_as_of`; `high` if there is none."""
    row = low.copy()
    open_ = np.flatnonzero(row < high)
    while len(open_):
        unknown = events.created[row[open_]] > known_as_of[open_]
        open_ = open_[unknown]
        row[open_] += 1
        open_ = open_[row[open_] < high[open_]]
    return row
