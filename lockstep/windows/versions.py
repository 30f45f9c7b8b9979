"""Which versions of a change point are stored, once rows may arrive late.

Rows are folded in created order, and a row (a deletion, too) replaces every change point s
with t < s <= t + longest window. Stored for s: the newest version of what was known when s
settled, and every version created later. So the versions of s are its *baseline* and one
more for each later created time of a row that s belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lockstep.windows.change_points import ChangePoints, first_known, reach
from lockstep.windows.created_groups import CreatedGroups
from lockstep.windows.edges import Edges
from lockstep.windows.errors import EventsError
from lockstep.windows.events import Events, Flags, Ints
from lockstep.windows.range_extreme import range_minimum
from lockstep.windows.range_rank import kth_smallest
from lockstep.windows.spec import WindowSpec

# Versions that late rows add to one batch; about 100 bytes each while they are made.
_MOST_LATE_PAIRS = 50_000_000


@dataclass(frozen=True)
class LatePairs:
    """All (point, group of rows created together) of which the point settled before.

    Ordered by point, then created time. A version misses the pairs of its point from
    `behind` to `stop`: they were created later than it.
    """

    groups: CreatedGroups
    point: Ints
    group: Ints
    behind: Ints
    stop: Ints

    def only(self, chosen: Flags) -> LatePairs:
        """The same pairs, for some of the versions."""
        return replace(self, behind=self.behind[chosen], stop=self.stop[chosen])

    def eras(self, points: int) -> Ints:
        """For each of so many points, a number that rises where a group pairs no longer."""
        order = np.lexsort((self.point, self.group))
        point, group = self.point[order], self.group[order]
        last = (group[1:] != group[:-1]) | (point[1:] != point[:-1] + 1)
        change = np.zeros(points + 1, dtype=np.int64)
        change[point[np.append(last, True)] + 1] = 1
        eras: Ints = np.cumsum(change)[:-1]
        return eras

    def missing(self, points: ChangePoints, w: int, weight: Ints) -> Ints:
        """What the rows that each version misses add up to in window `w`, by row `weight`."""
        total = np.append(0, np.cumsum(weight[self.groups.rows]))
        low = self.groups.bisect(self.group, points.low[w][self.point])
        high = self.groups.bisect(self.group, points.high[self.point])
        running = np.append(0, np.cumsum(total[high] - total[low]))
        later: Ints = running[self.stop] - running[self.behind]
        return later


@dataclass(frozen=True)
class Versions:
    """Stored rows as references to change points, ordered by point, then created time.

    `point` is the index of the change point, `created` the version's created time, and
    `known_as_of` the instant up to which it knows rows. `late` is None where every version
    knows every row that belongs to it.
    """

    point: Ints
    created: Ints
    known_as_of: Ints
    late: LatePairs | None

    def __len__(self) -> int:
        return len(self.point)

    def final_in(self, points: ChangePoints, start_us: int | None, end_us: int) -> Versions:
        """Those that became final in [start, end)."""
        final = np.maximum(points.settled[self.point], self.created)
        inside = final < end_us
        if start_us is not None:
            inside &= final >= start_us
        if inside.all():
            return self
        return Versions(
            point=self.point[inside],
            created=self.created[inside],
            known_as_of=self.known_as_of[inside],
            late=self.late and self.late.only(inside),
        )


def versions(
    events: Events, edges: Edges, points: ChangePoints, spec: WindowSpec, *, start_us: int | None
) -> Versions:
    """The versions of all change points that became final at or after the start, and others.

    Rows created before the start are missed by no version that is final after it.
    """
    late = events.created + events.offset > edges.arrival - int(spec.snapshots)
    if start_us is not None:
        late &= events.created >= start_us
    if late.any():
        return _with_late_rows(events, edges, points, spec, late)
    return Versions(
        point=np.arange(len(points)),
        created=_newest_created(events, edges, points),
        known_as_of=points.settled,
        late=None,
    )


def _newest_known(
    events: Events,
    edges: Edges,
    points: ChangePoints,
    groups: CreatedGroups,
    point: Ints,
    group: Ints,
) -> Ints:
    """The newest created time by which each point was settled, of the rows it belongs to.

    Those that were not known then, by the pairs of `point` and `group`, are the newest of
    them. Any number where none was known.
    """
    first, newest = reach(edges, points), _newest_created(events, edges, points)
    later = groups.bisect(group, points.high[point]) - groups.bisect(group, first[point])
    unknown = np.bincount(point, weights=later, minlength=len(points)).astype(np.int64)
    some = np.flatnonzero(unknown)
    low, high = first[some], points.high[some]
    place = np.maximum(high - low - unknown[some] - 1, 0)
    newest[some] = kth_smallest(events.entity, events.created, low, high, [place])[0]
    return newest


def _newest_created(events: Events, edges: Edges, points: ChangePoints) -> Ints:
    """The newest created time among the rows that each point belongs to."""
    rises = events.created[1:] >= events.created[:-1]
    if np.all(rises | (events.entity[1:] != events.entity[:-1])):
        return events.created[points.high - 1]
    return ~range_minimum(~events.created, reach(edges, points), points.high)


def _with_late_rows(
    events: Events, edges: Edges, points: ChangePoints, spec: WindowSpec, late: Flags
) -> Versions:
    groups = CreatedGroups.of(events)
    point, group = _late_pairs(events, edges, points, groups, late, snapshots=spec.snapshots)
    known_from = first_known(events, edges, points, snapshots=spec.snapshots)
    baseline = np.flatnonzero(known_from <= points.settled)
    shown = np.flatnonzero(groups.created[group] >= known_from[point])
    each_point = np.concatenate([baseline, point[shown]])
    created = np.concatenate(
        [
            _newest_known(events, edges, points, groups, point, group)[baseline],
            groups.created[group[shown]],
        ]
    )
    known_as_of = np.concatenate([points.settled[baseline], groups.created[group[shown]]])
    # What a version misses are the pairs of its point that stand behind it.
    behind = np.concatenate([np.searchsorted(point, baseline), shown + 1])
    order = np.lexsort((known_as_of, each_point))
    return Versions(
        point=each_point[order],
        created=created[order],
        known_as_of=known_as_of[order],
        late=LatePairs(
            groups=groups,
            point=point,
            group=group,
            behind=behind[order],
            stop=np.searchsorted(point, each_point[order], side="right"),
        ),
    )


def _late_pairs(
    events: Events,
    edges: Edges,
    points: ChangePoints,
    groups: CreatedGroups,
    late: Flags,
    *,
    snapshots: bool,
) -> tuple[Ints, Ints]:
    """The pairs of every late row: the points it belongs to that settled before its creation.

    Within a group, rows are in time order and their ranges of points overlap only with
    the rows before, so that cutting each range at the end of the one before gives every
    pair once, however many rows arrive together.
    """
    chosen = late[groups.rows]
    rows, number = groups.rows[chosen], groups.number[chosen]
    settles = (events.created + events.offset)[rows] + int(snapshots)
    until = np.minimum(settles, edges.expiry[-1][rows] + 1)
    start = np.searchsorted(points.axis, edges.arrival[rows])
    stop = np.searchsorted(points.axis, until)
    same_group = np.append(False, number[1:] == number[:-1])
    start = np.where(same_group, np.maximum(start, np.append(0, stop[:-1])), start)
    length = np.maximum(stop - start, 0)
    if length.sum() > _MOST_LATE_PAIRS:
        raise EventsError.too_many_versions(int(length.sum()), _MOST_LATE_PAIRS, len(events))
    point = np.repeat(start - (np.cumsum(length) - length), length)
    point += np.arange(len(point))
    group = np.repeat(number, length)
    order = np.lexsort((group, point))
    return point[order], group[order]
