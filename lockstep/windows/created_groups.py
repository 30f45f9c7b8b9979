"""Rows in the order in which they became known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    created: Ints

    @classmethod
    def of(cls, events: Events) -> CreatedGroups:
        """The groups of all rows."""
        rows = np.lexsort((events.created, events.entity))
        entity, created = events.entity[rows], events.created[rows]
        new = np.append(True, (entity[1:] != entity[:-1]) | (created[1:] != created[:-1]))
        number = np.cumsum(new) - 1
        return cls(rows, number, number * len(rows) + rows, created[new])

    def bisect(self, group: Ints, row: Ints) -> Ints:
        """How many rows stand before row `row` of group `group`."""
        before: Ints = np.searchsorted(self.place, group * len(self.rows) + row)
        return before
