"""What views would say had a row been stored that a request brings: no I/O, no clock.

The windows' own core makes the step at T out of the rows that the online store keeps and the
new one, so that it is what ingest, build and materialisation would have written by T.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.stores.kept_rows import KeptRows
from lockstep.stores.online_read import ViewRead
from lockstep.windows.duration import duration_us
from lockstep.windows.microseconds import instant_at, microseconds
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, VALID_UNTIL, WindowSpec
from lockstep.windows.steps import newest_steps
from serving.errors import FreshRowError, FutureFeaturesError, NotMaterializedError, ServingError
from serving.fresh_row import FreshRow

Ints = NDArray[np.int64]
Reads = dict[str, ViewRead]

_TIME = pl.Datetime("us", "UTC")
# A row of event time t arrives at t + 1 us, so that a step is exact up to T < t + 2 us.
_ARRIVAL_US = 1


@dataclass(frozen=True)
class Fresh:
    """One row of a request: what Redis holds of its entity, T, and what was sent."""

    reads: Reads
    t_us: int
    row: FreshRow

    def stacked(self, view: str, kept: KeptRows) -> Ints | ServingError | None:
        """(rows, 1 + columns) the kept rows and the new one; or why it cannot be.

        None for an entity that was never stored: there is nothing to put it on.
        """
        read = self.reads[view]
        if read.event_us is None or read.known_from_us is None:
            return None
        held = kept.rows_of(read.kept, read.event_us, read.created_us)
        if held is None:
            return NotMaterializedError.rows(view)
        if read.known_from_us > self.t_us:
            return FutureFeaturesError.at(view, instant_at(self.t_us))
        own = np.array([[self.row.event_us, *(self.row.values[name] for name in kept.columns)]])
        newest = int(held[-1, 0]) if len(held) else None
        if newest is not None and newest >= self.row.event_us:
            return self._not_newer(held, own)
        return np.concatenate([held, own])

    def _not_newer(self, held: Ints, own: Ints) -> FreshRowError:
        end, newest_us = instant_at(self.row.event_us), int(held[-1, 0])
        if newest_us > self.row.event_us:
            return FreshRowError.older(end, instant_at(newest_us))
        return FreshRowError.stored(end, is_same=bool((held[-1] == own[0]).all()))


def with_fresh_rows(
    rows: Sequence[Fresh], specs: Sequence[WindowSpec], *, view: str, kept: KeptRows
) -> list[Reads | ServingError]:
    """What each row's views say at its T; those of `specs` with the row on top.

    `view` is the one that has the `kept` rows beside its steps. An entity that was never
    stored is told as it is.
    """
    stacks = [row.stacked(view, kept) for row in rows]
    usable = {n: stack for n, stack in enumerate(stacks) if isinstance(stack, np.ndarray)}
    changed: dict[int, Reads] = {number: {} for number in usable}
    for spec in specs if usable else ():
        for number, step in _steps(usable, rows, spec, kept).items():
            stack, row = usable[number], rows[number]
            before_us = int(stack[-2, 0]) if len(stack) > 1 else None
            read = _read(row.reads[spec.name], step, spec, row.row, before_us)
            changed[number][spec.name] = read
    return [
        stack if isinstance(stack, ServingError) else {**row.reads, **changed.get(number, {})}
        for number, (row, stack) in enumerate(zip(rows, stacks, strict=True))
    ]


def _steps(
    stacks: Mapping[int, Ints], rows: Sequence[Fresh], spec: WindowSpec, kept: KeptRows
) -> dict[int, dict[str, Any]]:
    """The step of `spec` at each row's T; rows are told apart by their number, not their keys."""
    numbers = np.fromiter(stacks, np.int64, len(stacks))
    of_rows = np.repeat(numbers, [len(stack) for stack in stacks.values()])
    names = [EVENT_TIMESTAMP, *kept.columns]
    frame = pl.DataFrame(np.concatenate(list(stacks.values())), schema=names, orient="row")
    times = pl.DataFrame({EVENT_TIMESTAMP: [rows[n].t_us for n in stacks]})
    found = newest_steps(
        _keyed(frame, spec, of_rows), spec, _keyed(times, spec, numbers)
    ).to_dicts()
    return {step[spec.entity_keys[0]]: step for step in found}


def _keyed(frame: pl.DataFrame, spec: WindowSpec, numbers: Ints) -> pl.DataFrame:
    keys = {key: pl.Series(numbers) for key in spec.entity_keys}
    return frame.with_columns(pl.col(EVENT_TIMESTAMP).cast(_TIME), **keys)


def _read(
    stored: ViewRead,
    step: Mapping[str, Any],
    spec: WindowSpec,
    row: FreshRow,
    before_us: int | None,
) -> ViewRead:
    return replace(
        stored,
        event_us=microseconds(step[EVENT_TIMESTAMP]),
        created_us=microseconds(step[CREATED_TIMESTAMP]),
        valid_until_us=step[VALID_UNTIL],
        horizon_us=_horizon_us(stored, spec, row, before_us),
        values={name: step[name] for name in stored.features},
    )


def _horizon_us(
    stored: ViewRead, spec: WindowSpec, row: FreshRow, before_us: int | None
) -> int | None:
    """Up to which T the step is exact: past the new row where nothing lies unknown before it.

    That is where the store vouches for all up to the bar before, or holds that bar itself.
    Else what lies between is unknown, and the store's own horizon says how old all is.
    """
    if stored.horizon_us is None or spec.bar is None:
        return stored.horizon_us
    last_end_us = row.event_us - duration_us(spec.bar)
    is_next = before_us is not None and before_us >= last_end_us
    if is_next or stored.horizon_us > last_end_us + _ARRIVAL_US:
        return max(stored.horizon_us, row.event_us + _ARRIVAL_US + 1)
    return stored.horizon_us
