"""The window core over micro-batches: the rows that later steps can still hold are carried along.

What the batches emit, one after another, is what a build over all of their rows emits. A cut is
the end of a batch's interval, on the axis on which a step becomes final (`windows.final`): the
interval of a batch goes from the cut before to its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, WindowSpec
from lockstep.windows.steps import steps

DEFAULT_LATENESS = timedelta(hours=1)


@dataclass(frozen=True)
class Advanced:
    """The steps of one batch, and the rows that came too late for a stream.

    `steps` has the columns of `windows.steps.output_schema` and its order. `too_late` are rows
    of the batch as they came: the next build over the lake takes them in.
    """

    steps: pl.DataFrame
    too_late: pl.DataFrame


class CarriedWindow:
    """The steps of one specification, batch after batch.

    `rows` are what is known before `until`, at least as far back as `oldest_us(until)`; they have
    the columns of `spec.source_columns`. A row's event may lie `lateness` before the last cut.
    """

    def __init__(
        self,
        spec: WindowSpec,
        rows: pl.DataFrame,
        until: datetime,
        *,
        lateness: timedelta = DEFAULT_LATENESS,
    ) -> None:
        self._spec, self._until, self._lateness = spec, until, lateness
        self._order = list(spec.source_columns)
        self._rows = self._carried(rows.select(self._order).sort(self._order), until)

    @property
    def until(self) -> datetime:
        """The last cut: every step that became final before it was emitted."""
        return self._until

    @property
    def rows(self) -> pl.DataFrame:
        """The rows that are carried, in order of the keys and times."""
        return self._rows

    def advance(self, arrived: pl.DataFrame, until: datetime) -> Advanced:
        """The steps that became final from the last cut to `until`, windows that emptied included.

        A row that was known before the last cut and comes only now is overdue: its entity's steps
        since then are emitted anew, of the same event time and created time as before where those
        are the same, and hold from now on instead. A row known at or after `until` waits.

        Raises:
            EventsError: the rows are not what the specification declares.
            ValueError: `until` is before the last cut.
        """
        if until < self._until:
            raise ValueError(f"{until} is before the last cut, {self._until}")
        late_us = microseconds(self._until - self._lateness)
        too_late = pl.col(EVENT_TIMESTAMP).to_physical() < late_us
        taken = arrived.filter(~too_late).select(self._order).sort(self._order)
        rows = self._rows.merge_sorted(taken, self._order)
        emitted = self._steps(rows, taken, until)
        self._rows, self._until = self._carried(rows, until), until
        return Advanced(emitted, arrived.filter(too_late))

    def _steps(self, rows: pl.DataFrame, taken: pl.DataFrame, until: datetime) -> pl.DataFrame:
        keys = list(self._spec.entity_keys)
        known = pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP)
        overdue = taken.filter(known < self._until)
        if overdue.is_empty():
            return steps(rows, self._spec, start=self._until, end=until)
        since = overdue.select(known.min()).item()
        parts = [
            steps(rows.join(overdue, on=keys, how="semi"), self._spec, start=since, end=until),
            steps(
                rows.join(overdue, on=keys, how="anti"), self._spec, start=self._until, end=until
            ),
        ]
        return pl.concat(parts).sort(*keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP)

    def _carried(self, rows: pl.DataFrame, until: datetime) -> pl.DataFrame:
        return rows.filter(pl.col(EVENT_TIMESTAMP).to_physical() >= self.oldest_us(until))

    def oldest_us(self, until: datetime) -> int:
        """The event time of the oldest row on which a step after `until` can depend."""
        return microseconds(until - self._lateness) - self._spec.reach_us
