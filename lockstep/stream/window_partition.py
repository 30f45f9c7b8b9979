"""All windows over one partition of a topic: records in, steps out, and what is kept in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from lockstep.contract.record_schema import RecordSchema
from lockstep.stream.carried_window import DEFAULT_LATENESS, CarriedWindow
from lockstep.stream.recent_rows import RecentRows
from lockstep.windows.spec import EVENT_TIMESTAMP, WindowSpec


@dataclass(frozen=True)
class Advanced:
    """What one batch came to.

    `steps` are those of each specification, by its name. `repeated` rows had come before and
    changed nothing. `refused` are rows with a column `reason`.
    """

    steps: Mapping[str, pl.DataFrame]
    repeated: int
    refused: pl.DataFrame


class WindowPartition:
    """The windows of some specifications over the rows of one partition.

    `rows` are what is known before `until`, as far back as the longest window reaches and
    `lateness` more.
    """

    def __init__(
        self,
        schema: RecordSchema,
        specs: Sequence[WindowSpec],
        rows: pl.DataFrame,
        until: datetime,
        *,
        lateness: timedelta = DEFAULT_LATENESS,
    ) -> None:
        self._recent = RecentRows(schema, rows)
        held = self._recent.rows
        self._windows = {
            spec.name: CarriedWindow(spec, held, until, lateness=lateness) for spec in specs
        }
        self._first = next(iter(self._windows.values()))

    @property
    def until(self) -> datetime:
        """The last cut."""
        return self._first.until

    @property
    def rows(self) -> pl.DataFrame:
        """What a later `WindowPartition` has to begin with, at `until`."""
        held = self._recent.rows
        return held.filter(pl.col(EVENT_TIMESTAMP).to_physical() >= self._oldest_us)

    def advance(self, arrived: pl.DataFrame, until: datetime) -> Advanced:
        """The steps that became final up to `until`, with the rows that came.

        Raises:
            EventsError: a value is too large for the sums of a window.
            ValueError: `until` is before the last cut.
        """
        is_late = pl.col(EVENT_TIMESTAMP).to_physical() < self._first.earliest_us
        late = arrived.filter(is_late)
        taken = self._recent.take(arrived.filter(~is_late))
        steps = {name: w.advance(taken.fresh, until) for name, w in self._windows.items()}
        self._recent.forget_before(self._oldest_us)
        refused = [_because(late, "too late"), _because(taken.conflicting, "conflicting id")]
        return Advanced(steps, taken.repeated, pl.concat(refused))

    @property
    def _oldest_us(self) -> int:
        return min(window.oldest_us(self.until) for window in self._windows.values())


def _because(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    return rows.with_columns(pl.lit(reason).alias("reason"))
