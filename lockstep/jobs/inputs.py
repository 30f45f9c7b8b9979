"""Which source rows the steps of an interval depend on, and where they stand.

A source is partitioned by the day of the event; a row becomes known at the later of its
event and its created time. The steps that become final in [start, end) depend on

1. the rows that become known in it: they stand in the partitions of its days, and in
   those of earlier days whose newest created time is not before `start`;
2. the window before it: rows known before `start`, with event >= start - reach;
3. where a row with event t < start becomes known in it, older rows of that row's entity:
   it changes steps between t and t + reach, which hold events from t - reach on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import polars as pl

from lockstep.jobs.arrivals import known_us
from lockstep.jobs.footers import Footer
from lockstep.jobs.interval import midnight_of
from lockstep.lake.parquet import collect
from lockstep.lake.table import LakeTable
from lockstep.windows.microseconds import instant_at, microseconds
from lockstep.windows.spec import DELETED, EVENT_TIMESTAMP, WindowSpec

_DAY = timedelta(days=1)
_DAY_US = 86_400_000_000
_YEAR_ONE_US = microseconds(datetime.min.replace(tzinfo=UTC))
_OLDEST = "oldest_us"


@dataclass(frozen=True)
class Inputs:
    """The rows of a spec's source by when they became known.

    `footers` are those of all its days, oldest first; `schema` is what is read of them.
    `versions` are those of the objects, as they were before anything of them was read.
    Frames have these columns and no particular order of rows. Where a partition lacks
    `is_deleted`, nothing is deleted.
    """

    table: LakeTable
    spec: WindowSpec
    footers: Sequence[Footer]
    schema: pl.Schema
    versions: Mapping[date, str] = field(default_factory=dict)

    def known_in(self, start: datetime | None, end: datetime) -> pl.DataFrame:
        """The rows that became known in [start, end); None is from the first one on.

        A row without any time may be one of them: it is there too, to be refused.
        """
        known = known_us() < microseconds(end)
        if start is not None:
            known &= known_us() >= microseconds(start)
        return self._read(
            self.days_known_in(start, end), lambda rows: rows.filter(known.fill_null(True))
        )

    def days_known_in(self, start: datetime | None, end: datetime) -> list[date]:
        """The partitions that can hold such rows."""
        until = (footer for footer in self.footers if midnight_of(footer.day) < end)
        return [footer.day for footer in until if start is None or _may_hold(footer, start)]

    def window_versions(self, start: datetime) -> dict[date, str]:
        """The versions of the partitions of the window before `start`."""
        since = self.window_start_us(start) - _DAY_US
        return {
            day: version
            for day, version in self.versions.items()
            if midnight_of(day) < start and microseconds(midnight_of(day)) > since
        }

    def window_rows(self, start: datetime, days: Sequence[date]) -> pl.DataFrame:
        """The rows of the window before `start` that stand in the partitions of `days`."""
        event = pl.col(EVENT_TIMESTAMP).to_physical()
        held = (known_us() < microseconds(start)) & (event >= self.window_start_us(start))
        return self._read(days, lambda rows: rows.filter(held))

    def older_than_window(self, arrived: pl.DataFrame, start: datetime) -> pl.DataFrame:
        """The rows that come before the window of `start`, but that late rows reach.

        `arrived` are rows that became known at or after `start`.
        """
        event = pl.col(EVENT_TIMESTAMP).to_physical()
        before = (known_us() < microseconds(start)) & (event < self.window_start_us(start))
        late = arrived.filter(event < microseconds(start))
        return self._read(
            self.days_reached_by(late[EVENT_TIMESTAMP].dt.date().unique(), start),
            lambda rows: reached_by(late, rows.filter(before), self.spec),
        )

    def days_reached_by(self, late: Iterable[date], start: datetime) -> list[date]:
        """The partitions before the window of `start` that rows of the `late` days can reach."""
        reach = self.spec.reach_us
        midnights = [microseconds(midnight_of(day)) for day in late]
        pockets = [(midnight - reach, midnight + _DAY_US + reach) for midnight in midnights]
        window = self.window_start_us(start)
        return [
            footer.day
            for footer in self.footers
            if (midnight := microseconds(midnight_of(footer.day))) < window
            and any(since < midnight + _DAY_US and midnight <= until for since, until in pockets)
        ]

    def window_start(self, start: datetime) -> datetime:
        """The same as an instant, as far as there are instants: none is before year 1."""
        return instant_at(max(self.window_start_us(start), _YEAR_ONE_US))

    def window_start_us(self, start: datetime) -> int:
        """The oldest event, in microseconds, that an on-time step at `start` can hold."""
        return microseconds(start) - self.spec.reach_us

    def _read(
        self, days: Sequence[date], chosen: Callable[[pl.LazyFrame], pl.LazyFrame]
    ) -> pl.DataFrame:
        if not days:
            return pl.DataFrame(schema=self.schema)
        keys = [self.table.part(day) for day in days]
        rows = self.table.lake.scan_parquet(
            keys, schema=self.schema, missing_columns="insert", extra_columns="ignore"
        )
        if DELETED in self.schema:
            rows = rows.with_columns(pl.col(DELETED).fill_null(False))
        return collect(self.table.lake, keys, chosen(rows))


def reached_by(late: pl.DataFrame, rows: pl.LazyFrame, spec: WindowSpec) -> pl.LazyFrame:
    """Those of `rows` that steps which the `late` rows change can hold."""
    event, keys = pl.col(EVENT_TIMESTAMP).to_physical(), list(spec.entity_keys)
    oldest = late.lazy().group_by(keys).agg((event.min() - spec.reach_us).alias(_OLDEST))
    return rows.join(oldest, on=keys).filter(event >= pl.col(_OLDEST)).drop(_OLDEST)


def _may_hold(footer: Footer, start: datetime) -> bool:
    """Whether the partition may have a row that became known at or after `start`."""
    if midnight_of(footer.day) + _DAY > start or footer.newest_created_us is None:
        return True
    return footer.newest_created_us >= microseconds(start)
