"""One table of the lake: day partitions, each replaced atomically.

    <lake>/fraud/transactions/day=2018-04-01/part.parquet
    <lake>/fraud/transactions/_table.json

A day is one object, so readers see its old rows or its new ones, never a half.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from lockstep.lake.errors import LakeError, NoObjectError
from lockstep.lake.lake import Lake
from lockstep.lake.parquet import collect
from lockstep.windows.spec import EVENT_TIMESTAMP

_PART = "part.parquet"
_METADATA = "_table.json"
_DAY = "day="


@dataclass(frozen=True)
class LakeTable:
    """A named table under the lake's root; days are UTC."""

    lake: Lake
    name: str

    @property
    def address(self) -> str:
        """Where the table is, for people."""
        return self.lake.address(self.name)

    def key(self, suffix: str) -> str:
        """The key of something in the table's folder; beside the partitions, begin with `_`."""
        return f"{self.name}/{suffix}"

    def part(self, day: date) -> str:
        """The key of one day's object, whether it is there or not."""
        return self.key(f"{_DAY}{day.isoformat()}/{_PART}")

    def is_part(self, key: str) -> bool:
        """Whether that is the key of a day's object."""
        return key.startswith(self.key(_DAY)) and key.endswith(f"/{_PART}")

    def days(self) -> list[date]:
        """The days that have a partition, oldest first; `_names` inside one are not looked at.

        Raises:
            LakeError: a partition is not named after a day, or holds another object.
        """
        prefix = self.key(_DAY)
        keys = (key for key in self.lake.list(prefix) if "/_" not in key.removeprefix(prefix))
        return sorted(map(self._day_of, keys))

    def scan(
        self, days: Sequence[date] | None = None, *, next_step: str = "build or ingest it first"
    ) -> pl.LazyFrame:
        """The rows of `days` (default: all), day after day, lazily.

        Raises:
            LakeError: the table has no partitions; or no partition for any of `days`.
        """
        existing = self._existing_days(next_step)
        wanted = existing if days is None else sorted(set(days) & set(existing))
        if not wanted:
            raise LakeError.no_days(self.name, f"{len(days or [])} days", _range(existing))
        return self.lake.scan_parquet([self.part(day) for day in wanted])

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The rows of `frame`, which was scanned from this table.

        Raises:
            LakeError: a partition is not parquet, or has other columns than the first.
        """
        return collect(self.lake, [self.part(day) for day in self.days()], frame)

    def read_day(self, day: date) -> pl.DataFrame:
        """The rows of one day.

        Raises:
            LakeError: the day has no partition, or it is not parquet.
        """
        try:
            return self.lake.read_parquet(self.part(day))
        except NoObjectError:
            raise LakeError.no_days(self.name, str(day), _range(self.days())) from None

    def write_day(self, day: date, rows: pl.DataFrame) -> int:
        """Replaces one day's partition and returns its size in bytes."""
        return self.lake.write_parquet(self.part(day), rows)

    def drop_days(self, days: Sequence[date]) -> None:
        """Removes whole partitions; days that are not there are left alone."""
        self.lake.delete([self.part(day) for day in days])

    def metadata(self) -> dict[str, Any]:
        """What the last writer recorded beside the partitions; empty when nothing was.

        Raises:
            LakeError: the record is not ours.
        """
        key = self.key(_METADATA)
        try:
            return dict(json.loads(self.lake.read_bytes(key)))
        except NoObjectError:
            return {}
        except (TypeError, ValueError) as error:
            raise LakeError.bad_metadata(self.lake.address(key), error) from error

    def write_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replaces the record beside the partitions, atomically."""
        text = json.dumps(dict(metadata), indent=2, sort_keys=True) + "\n"
        self.lake.write_bytes(self.key(_METADATA), text.encode())

    def horizon(self) -> datetime | None:
        """The end of the last contiguous build: the table is exact for T < horizon."""
        text = self.metadata().get("horizon")
        return datetime.fromisoformat(text) if text else None

    def coverage_end(self) -> datetime:
        """The instant up to which the table is taken to be complete: just after its newest event.

        Two microseconds after it, so that a build up to this end has the event's arrival, one
        microsecond after it, among its steps. For tables partitioned by the day of the event.

        Raises:
            LakeError: the table has no rows, or its last day cannot be read.
        """
        days = self._existing_days("build or ingest it first")
        for day in reversed(days):
            times = self.lake.read_parquet(self.part(day), [EVENT_TIMESTAMP])
            newest = times[EVENT_TIMESTAMP].max()
            if isinstance(newest, datetime):
                return newest + timedelta(microseconds=2)
        raise LakeError.no_rows(self.name, _range(days))

    def _existing_days(self, next_step: str) -> list[date]:
        days = self.days()
        if not days:
            raise LakeError.no_table(self.name, self.address, next_step=next_step)
        return days

    def _day_of(self, key: str) -> date:
        folder, _, name = key.removeprefix(self.key(_DAY)).partition("/")
        if name != _PART:
            raise LakeError.foreign_object(self.lake.address(key))
        with suppress(ValueError):
            # Python reads 20180401 too, but that is not where this day would be looked for.
            if self.part(day := date.fromisoformat(folder)) == key:
                return day
        raise LakeError.not_a_day(self.lake.address(key.rpartition("/")[0]))


def _range(days: Sequence[date]) -> str:
    return f"{days[0]} to {days[-1]}" if days else "no days"
