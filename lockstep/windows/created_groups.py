"""Rows in the order in which they became known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockstep.windows.change_points import ChangePoints
from lockstep.windows.events import Events, Ints


@dataclass(frozen=True)
class CreatedGroups:
    """All rows ordered by (entity, created, event): a group shares entity and created time.

    `rows` are row numbers in `Events`, `number` is the group of each of them. `place` is
    group * number of rows + row number, sorted, so that the members of a group within a
    range of rows are found by bisection.
    """

    rows: Ints
    number: Ints
    place: Ints
    entity: Ints
    created: Ints

    @classmethod
    def of(cls, events: Events) -> CreatedGroups:
        """The groups of all rows."""
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

    def newest_known(self, points: ChangePoints, at: Ints, first: Ints) -> Ints:
        """The newest created time by which a point was settled, of the rows it belongs to.

        For the points `at`; `first` is the first row of every point. Looks at the newest
        group known then; where no row of it belongs to the point (it arrived late and is
        long out of every window), at the one before, until all are settled.
        """
        group = self._newest_group(points, at)
        open_ = np.arange(len(at))
        while len(open_):
            g, p = group[open_], at[open_]
            held = self.bisect(g, points.high[p]) > self.bisect(g, first[p])
            open_ = open_[~held]
            group[open_] -= 1
        return self.created[group]

    def _newest_group(self, points: ChangePoints, at: Ints) -> Ints:
        """The last group of the point's entity that was created when the point settled."""
        both_entity = np.concatenate([self.entity, points.entity[at]])
        both_time = np.concatenate([self.created, points.settled[at]])
        is_point = np.repeat([0, 1], [len(self.entity), len(at)])
        order = np.lexsort((is_point, both_time, both_entity))
        seen = np.cumsum(is_point[order] == 0) - 1
        group = np.empty(len(at), dtype=np.int64)
        queries = order >= len(self.entity)
        group[order[queries] - len(self.entity)] = seen[queries]
        return group
