"""Rows on their way through a server: what is asked, what is read for it, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lockstep.contract.status_policy import Codes
from lockstep.contract.targets import Floats
from serving.errors import ServingError
from serving.fresh_row import FreshRow
from serving.plan import PlannedFeature


@dataclass(frozen=True)
class Asked:
    """Rows to be scored: entity ids, the request's columns, and T in microseconds UTC.

    `fresh` are the rows of the windows' source that some bring, by the number of the row.
    """

    entities: Sequence[Mapping[str, int]]
    request: Mapping[str, Sequence[int]]
    t_us: Sequence[int]
    fresh: Mapping[int, FreshRow] = field(default_factory=dict)

    def some(self, rows: Sequence[int]) -> Asked:
        """The rows with these numbers, without what they bring."""
        return Asked(
            [self.entities[row] for row in rows],
            {name: [values[row] for row in rows] for name, values in self.request.items()},
            [self.t_us[row] for row in rows],
        )


@dataclass(frozen=True)
class Read:
    """Features of rows: (rows, features). A value is NaN unless its status keeps it.

    Once the rows are complete, what the service declares for a status stands in its place.
    `codes` index the statuses; `ages` are seconds, NaN where the store vouches for nothing;
    `event_us` is when the step happened that was read, NO_TIME where there is none. `refused`
    are the rows whose own row cannot be used; what is stored stands in them.
    """

    features: tuple[PlannedFeature, ...]
    values: Floats
    codes: Codes
    ages: Floats
    event_us: NDArray[np.int64]
    refused: Mapping[int, ServingError] = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """The service's features of rows, and what the model answers: (rows, width).

    `scores` and `decided`, each (rows,), are what its target makes of that; `refused` says why
    a row has none of it.
    """

    read: Read
    outputs: Floats
    scores: Floats
    decided: NDArray[np.int64]
    refused: Mapping[int, ServingError]
