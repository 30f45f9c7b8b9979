"""Which rows each version holds, one after another, for statistics that need the rows.

A version that knows every row which belongs to it holds a range of `Events`. One that was
built before a late row arrived does not: the rows that it knows are copied out for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lockstep.windows.change_points import ChangePoints
from lockstep.windows.events import Events, Flags, Ints
from lockstep.windows.functions import HeldRows
from lockstep.windows.versions import Versions

# Rows copied out at a time; about 60 bytes each while a statistic is computed over them.
_MOST_ROWS = 4_000_000


@dataclass(frozen=True)
class Panel:
    """Rows of `Events`, and the range of them that each of some versions holds.

    `rows` are row numbers, `group` keeps entities or versions apart. `low` has one array a
    window. `versions` are the places of these versions among all.
    """

    rows: Ints
    group: Ints
    low: tuple[Ints, ...]
    high: Ints
    versions: Ints

    def held(self, events: Events, w: int, *, column: str | None, where: str | None) -> HeldRows:
        """What window `w` holds, of the rows with a one in `where`."""
        values = events.values[column][self.rows] if column else np.zeros_like(self.rows)
        event, group, low, high = events.event[self.rows], self.group, self.low[w], self.high
        if where is None:
            return HeldRows(group, event, values, low, high)
        chosen = events.values[where][self.rows] == 1
        before = np.append(0, np.cumsum(chosen))
        return HeldRows(group[chosen], event[chosen], values[chosen], before[low], before[high])


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
    for portion in _portions(points, stored, np.flatnonzero(incomplete)):
        yield _known_rows(events, points, stored, portion)


def _incomplete(points: ChangePoints, stored: Versions) -> Flags:
    if stored.late is None:
        return np.zeros(len(stored), dtype=np.bool_)
    everyone = np.ones(len(stored.late.groups.rows), dtype=np.int64)
    missed: Flags = stored.late.missing(points, -1, everyone) > 0
    return missed


def _portions(points: ChangePoints, stored: Versions, chosen: Ints) -> Iterator[Ints]:
    """The chosen versions in portions of about four million rows, at least one each."""
    at = stored.point[chosen]
    portion = np.cumsum(points.high[at] - points.low[-1][at]) // _MOST_ROWS
    cuts = np.flatnonzero(portion[1:] != portion[:-1]) + 1
    yield from (part for part in np.split(chosen, cuts) if len(part))


def _known_rows(events: Events, points: ChangePoints, stored: Versions, chosen: Ints) -> Panel:
    """The rows of the longest window that each version knows, copied out."""
    at, known_as_of = stored.point[chosen], stored.known_as_of[chosen]
    length = points.high[at] - points.low[-1][at]
    first = np.cumsum(length) - length
    group = np.repeat(np.arange(len(chosen)), length)
    rows = np.arange(len(group)) + np.repeat(points.low[-1][at] - first, length)
    known = events.known(rows, known_as_of[group])
    before = np.append(0, np.cumsum(known))
    return Panel(
        rows=rows[known],
        group=group[known],
        low=tuple(before[first + low[at] - points.low[-1][at]] for low in points.low),
        high=before[first + length],
        versions=chosen,
    )
