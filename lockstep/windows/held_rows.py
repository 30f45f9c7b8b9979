"""Which rows each version holds, one after another, for statistics that need the rows.

A version that knows every row which belongs to it holds a range of `Events`. One that was
built before a late row arrived does not: the rows that it knows are copied out, once for
all versions between the same arrivals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lockstep.windows.change_points import ChangePoints
from lockstep.windows.deletions import NEVER
from lockstep.windows.events import Events, Flags, Ints
from lockstep.windows.functions import HeldRows
from lockstep.windows.versions import LatePairs, Versions

# Rows copied out at a time; about 60 bytes each while a statistic is computed over them.
_MOST_ROWS = 4_000_000


@dataclass(frozen=True)
class Panel:
    """Rows of `Events`, and the range of them that each of some versions holds.

    `rows` are row numbers, `group` keeps entities or clusters apart. `low` has one array a
    window. `versions` are the places of these versions among all.
    """

    rows: Ints
    group: Ints
    low: tuple[Ints, ...]
    high: Ints
    versions: Ints

    def held(
        self, events: Events, w: int, *, column: str | None, where: str | None, bars: int
    ) -> HeldRows:
        """What window `w` holds, of the rows with a one in `where`."""
        values = events.values[column][self.rows] if column else np.zeros_like(self.rows)
        event, group, low, high = events.event[self.rows], self.group, self.low[w], self.high
        if where is None:
            return HeldRows(group, event, values, low, high, bars)
        chosen = events.values[where][self.rows] == 1
        before = np.append(0, np.cumsum(chosen))
        group, event, values = group[chosen], event[chosen], values[chosen]
        return HeldRows(group, event, values, before[low], before[high], bars)


@dataclass(frozen=True)
class Clusters:
    """Versions of one entity that miss the same of the rows they share, cluster by cluster.

    `versions` are their places among all, within a cluster in order of the points;
    `number` is the cluster of each, from 0.
    """

    versions: Ints
    number: Ints

    def bounds(self) -> tuple[Ints, Ints]:
        """Where each cluster's first and last version stand."""
        new = np.flatnonzero(self.number[1:] != self.number[:-1])
        return np.append(0, new + 1), np.append(new, len(self.number) - 1)


def panels(events: Events, points: ChangePoints, stored: Versions) -> Iterator[Panel]:
    """Every version in one panel: the complete ones first, then the others in portions."""
    incomplete = _incomplete(points, stored)
    complete = np.flatnonzero(~incomplete)
    rows = np.arange(len(events))
    live = events.never_deleted()
    at = stored.point[complete]
    before = np.append(0, np.cumsum(live))
    yield Panel(
        rows=rows[live],
        group=events.entity[live],
        low=tuple(before[low[at]] for low in points.low),
        high=before[points.high[at]],
        versions=complete,
    )
    if stored.late is not None and incomplete.any():
        clusters = _clusters(points, stored, stored.late, np.flatnonzero(incomplete))
        for portion in _portions(points, stored, clusters):
            yield _known_rows(events, points, stored, portion)


def _incomplete(points: ChangePoints, stored: Versions) -> Flags:
    if stored.late is None:
        return np.zeros(len(stored), dtype=np.bool_)
    everyone = np.ones(len(stored.late.groups.rows), dtype=np.int64)
    missed: Flags = stored.late.missing(points, -1, everyone) > 0
    return missed


def _clusters(points: ChangePoints, stored: Versions, late: LatePairs, chosen: Ints) -> Clusters:
    """The chosen versions by the rows that they miss.

    In an era no late row becomes known: of the rows of a point, what was known when the
    era's last point settled is what was known at its own. So those versions make a cluster,
    and so do an era's versions that one group of late rows made.
    """
    at, as_of = stored.point[chosen], stored.known_as_of[chosen]
    marks = (
        late.eras(len(points))[at],
        np.where(as_of == points.settled[at], NEVER, as_of),
        points.entity[at],
    )
    order = np.lexsort((at, *marks))
    differs = [mark[order][1:] != mark[order][:-1] for mark in marks]
    new = np.append(True, np.any(differs, axis=0))
    return Clusters(chosen[order], np.cumsum(new) - 1)


def _portions(points: ChangePoints, stored: Versions, clusters: Clusters) -> Iterator[Clusters]:
    """Whole clusters, of about four million rows together, at least one each."""
    first, last = clusters.bounds()
    at = stored.point[clusters.versions]
    rows = np.cumsum(points.high[at[last]] - points.low[-1][at[first]]) // _MOST_ROWS
    cuts = first[1:][rows[1:] != rows[:-1]]
    for versions, number in zip(
        np.split(clusters.versions, cuts), np.split(clusters.number, cuts), strict=True
    ):
        yield Clusters(versions, number - number[0])


def _known_rows(
    events: Events, points: ChangePoints, stored: Versions, clusters: Clusters
) -> Panel:
    """The rows of the longest windows of each cluster that its versions know, copied out."""
    at, number = stored.point[clusters.versions], clusters.number
    first, last = clusters.bounds()
    start = points.low[-1][at[first]]
    length = points.high[at[last]] - start
    place = np.cumsum(length) - length
    group = np.repeat(np.arange(len(first)), length)
    rows = np.arange(len(group)) + np.repeat(start - place, length)
    known = events.known(rows, stored.known_as_of[clusters.versions[last]][group])
    before = np.append(0, np.cumsum(known))
    moved = (place - start)[number]
    return Panel(
        rows=rows[known],
        group=group[known],
        low=tuple(before[low[at] + moved] for low in points.low),
        high=before[points.high[at] + moved],
        versions=clusters.versions,
    )
