"""Reads features for requests that bring a row of what the windows are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lockstep.stores.feature_vectors import NO_TIME, STATUSES
from lockstep.stores.kept_rows import KeptRows
from lockstep.stores.online_read import statuses
from lockstep.stores.online_reader import OnlineReader
from lockstep.stores.read_plan import ReadPlan
from lockstep.windows.spec import WindowSpec
from serving.errors import DefinitionsError, NotMaterializedError, ServingError
from serving.fresh_windows import Fresh, Reads, with_fresh_rows
from serving.plan import PlannedFeature, ServicePlan
from serving.rows import Asked, Read

_CODES = {status: code for code, status in enumerate(STATUSES)}


@dataclass(frozen=True)
class FreshReads:
    """Puts rows of requests on top of what the online store keeps, and reads all the rest.

    `view` has the `kept` rows beside its steps; `specs` are those of the service's views that
    are made of them.
    """

    plan: ServicePlan
    reader: OnlineReader
    specs: tuple[WindowSpec, ...]
    view: str
    kept: KeptRows

    @classmethod
    def of(
        cls,
        plan: ServicePlan,
        windows: Sequence[WindowSpec],
        open_reader: Callable[[ReadPlan], OnlineReader],
    ) -> FreshReads | None:
        """The reads of a service; None for a use case whose requests bring no rows.

        Raises:
            DefinitionsError: none of the service's views keeps rows, or not all that `windows`
                need.
        """
        if not windows:
            return None
        views = {view.name: view.kept for view in plan.reads.views}
        specs = tuple(spec for spec in windows if spec.name in views)
        for name, kept in views.items():
            if kept and all(_suffices(kept, spec) for spec in specs):
                return cls(plan, open_reader(plan.reads.with_rows), specs, name, kept)
        raise DefinitionsError.no_rows(plan.name)

    async def read(self, asked: Asked, stored: Callable[[Asked], Awaitable[Read]]) -> Read:
        """As `stored` reads, with what the rows bring; a row that cannot be used is `refused`.

        Rows that bring nothing go through `stored`.

        Raises:
            NotMaterializedError, StoreUnavailableError: as `stored`.
        """
        fresh = list(asked.fresh)
        others = [row for row in range(len(asked.t_us)) if row not in asked.fresh]
        told = await self._told(asked, fresh)
        parts = [(fresh, self._as_read(told, [asked.t_us[row] for row in fresh]))]
        if others:
            parts.append((others, await stored(asked.some(others))))
        return _merged(parts)

    async def _told(
        self, asked: Asked, fresh: Sequence[int]
    ) -> list[tuple[Reads, ServingError | None]]:
        times = [asked.t_us[row] for row in fresh]
        reads = await self.reader.read([asked.entities[row] for row in fresh], times)
        lost = [name for name, read in reads[0].items() if read.horizon_us is None]
        if lost:
            raise NotMaterializedError.views(lost)
        rows = [
            Fresh(read, t_us, asked.fresh[row])
            for read, t_us, row in zip(reads, times, fresh, strict=True)
        ]
        # Tens of milliseconds: other requests go on meanwhile.
        told = await asyncio.to_thread(
            with_fresh_rows, rows, self.specs, view=self.view, kept=self.kept
        )
        return [
            (read, each) if isinstance(each, ServingError) else (each, None)
            for read, each in zip(reads, told, strict=True)
        ]

    def _as_read(
        self, told: Sequence[tuple[Reads, ServingError | None]], t_us: Sequence[int]
    ) -> Read:
        features = self.plan.stored
        cells = [_cells(reads, features, t) for (reads, _), t in zip(told, t_us, strict=True)]
        values, codes, ages, events = (
            np.array([row[part] for row in cells], kind).reshape(len(cells), len(features))
            for part, kind in enumerate((np.float64, np.uint8, np.float64, np.int64))
        )
        refused = {row: error for row, (_, error) in enumerate(told) if error is not None}
        return Read(features, values, codes, ages, events, refused)


def _suffices(kept: KeptRows, spec: WindowSpec) -> bool:
    """Whether these rows are all that the spec reads."""
    return (
        kept.table == spec.source
        and kept.reach_us >= spec.lengths_us[-1]
        and set(spec.value_columns) <= set(kept.columns)
    )


def _cells(
    reads: Reads, features: Sequence[PlannedFeature], t_us: int
) -> tuple[list[float], list[int], list[float], list[int]]:
    """Values, codes, ages and event times of one row, in the order of the features."""
    known = statuses(reads.values(), t_us)
    values, codes, ages, events = [], [], [], []
    for feature in features:
        value, status, age = known[feature.name]
        event_us = reads[feature.view].event_us
        values.append(np.nan if value is None else float(value))
        codes.append(_CODES[status])
        ages.append(np.nan if age is None else age)
        events.append(NO_TIME if event_us is None else event_us)
    return values, codes, ages, events


def _merged(parts: Sequence[tuple[Sequence[int], Read]]) -> Read:
    """The rows of all parts, each where it was asked."""
    order = np.argsort(np.concatenate([numbers for numbers, _ in parts]))
    reads = [read for _, read in parts]
    return Read(
        reads[0].features,
        np.concatenate([read.values for read in reads])[order],
        np.concatenate([read.codes for read in reads])[order],
        np.concatenate([read.ages for read in reads])[order],
        np.concatenate([read.event_us for read in reads])[order],
        {numbers[row]: why for numbers, read in parts for row, why in read.refused.items()},
    )
