"""The window core over micro-batches: the rows that later steps can still hold are carried along.

What the batches emit, one after another, is what a build over all of their rows emits. A cut is
the end of a batch's interval, on the axis on which a step becomes final (`windows.final`): the
interval of a batch goes from the cut before to its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, WindowSpec
from lockstep.windows.steps import steps

DEFAULT_LATENESS = timedelta(hours=1)


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
    def earliest_us(self) -> int:
        """The event time before which a row comes too late: only a build can take it in."""
        return microseconds(self._until - self._lateness)

    @property
    def rows(self) -> pl.DataFrame:
        """The rows that are carried, in order of the keys and times."""
        return self._rows

    def advance(self, arrived: pl.DataFrame, until: datetime) -> pl.DataFrame:
        """The steps that became final from the last cut to `until`, windows that emptied included.

        A row that was known before the last cut and comes only now is overdue: its entity's steps
        since then are emitted anew, of the same event time and created time as before where those
        are the same, and hold from now on instead. A row known at or after `until` waits. The
        columns and their order are those of `windows.steps.output_schema`.

        Raises:
            EventsError: the rows are not what the specification declares.
            ValueError: `until` is before the last cut, or a row before `earliest_us`.
        """
        if until < self._until:
            raise ValueError(f"{until} is before the last cut, {self._until}")
        taken = arrived.select(self._order).sort(self._order)
        event_us = taken.get_column(EVENT_TIMESTAMP).to_physical()
        if (event_us < self.earliest_us).any():
            raise ValueError(f"a row comes more than {self._lateness} before the last cut")
        rows = self._rows.merge_sorted(taken, self._order)
        emitted = self._steps(rows, taken, until)
        self._rows, self._until = self._carried(rows, until), until
        return emitted

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
