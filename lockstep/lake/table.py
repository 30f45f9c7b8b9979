"""One table of the lake: a folder of day partitions, each replaced atomically.

    <lake>/fraud/transactions/day=2018-04-01/part.parquet
    <lake>/fraud/transactions/_table.json

Readers see a day's old file or its new one, never a half: a file is written under
another name in the same folder and renamed.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import ComputeError, PanicException

from lockstep.lake.errors import LakeError
from lockstep.lake.parquet_file import replace_parquet
from lockstep.windows.spec import EVENT_TIMESTAMP

_PART = "part.parquet"
_METADATA = "_table.json"
_DAY = "day="


@dataclass(frozen=True)
class LakeTable:
    """A named table under the lake's root; days are UTC."""

    lake_dir: Path
    name: str

    @property
    def path(self) -> Path:
        """The table's folder."""
        return self.lake_dir / self.name

    def days(self) -> list[date]:
        """The days that have a partition, oldest first.

        Raises:
            LakeError: a partition's folder is not named after a day.
        """
        return sorted(_day_of(part.parent) for part in self.path.glob(f"{_DAY}*/{_PART}"))

    def part(self, day: date) -> Path:
        """The file of one day, whether it is there or not."""
        return self.path / f"{_DAY}{day.isoformat()}" / _PART

    def scan(
        self, days: Sequence[date] | None = None, *, next_step: str = "build or ingest it first"
    ) -> pl.LazyFrame:
        """The rows of `days` (default: all), day after day, lazily.

        Raises:
            LakeError: the table has no partitions; or no partition for any of `days`.
        """
        existing = self.days()
        if not existing:
            raise LakeError.no_table(self.name, self.path, next_step=next_step)
        wanted = existing if days is None else sorted(set(days) & set(existing))
        if not wanted:
            raise LakeError.no_days(
                self.name, f"{len(days or [])} days", f"{existing[0]} to {existing[-1]}"
            )
        return pl.scan_parquet([self.part(day) for day in wanted], hive_partitioning=False)

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The rows of `frame`, which was scanned from this table.

        Raises:
            LakeError: a partition is not parquet.
        """
        try:
            return frame.collect()
        except (ComputeError, PanicException) as error:
            raise LakeError.unreadable_table(self.path, error) from error

    def read_day(self, day: date) -> pl.DataFrame:
        """The rows of one day.

        Raises:
            LakeError: the day's file is absent or is not parquet.
        """
        try:
            return pl.read_parquet(self.part(day), hive_partitioning=False)
        except FileNotFoundError:
            days = self.days()
            known = f"{days[0]} to {days[-1]}" if days else "no days"
            raise LakeError.no_days(self.name, str(day), known) from None
        except ComputeError as error:
            raise LakeError.unreadable(self.part(day), error) from error

    def write_day(self, day: date, rows: pl.DataFrame) -> int:
        """Replaces one day's partition and returns its size in bytes."""
        return replace_parquet(self.part(day), rows)

    def drop_days(self, days: Sequence[date]) -> None:
        """Removes whole partitions; days that are not there are left alone."""
        for day in days:
            shutil.rmtree(self.part(day).parent, ignore_errors=True)

    def metadata(self) -> dict[str, Any]:
        """What the last writer recorded beside the partitions; empty when nothing was."""
        path = self.path / _METADATA
        return dict(json.loads(path.read_text())) if path.is_file() else {}

    def write_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replaces the record beside the partitions, atomically."""
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = self.path / f".{uuid.uuid4().hex}.tmp"
        temporary.write_text(json.dumps(dict(metadata), indent=2, sort_keys=True) + "\n")
        os.replace(temporary, self.path / _METADATA)  # noqa: PTH105  see parquet_file

    def horizon(self) -> datetime | None:
        """The end of the last contiguous build: the table is exact for T < horizon."""
        text = self.metadata().get("horizon")
        return datetime.fromisoformat(text) if text else None

    def coverage_end(self) -> datetime:
        """The instant up to which the table is taken to be complete: just after its newest event.

        Two microseconds after it, so that a build up to this end has the event's arrival, one
        microsecond after it, among its steps. For tables partitioned by the day of the event.

        Raises:
            LakeError: the table has no partitions, or the last one cannot be read.
        """
        days = self.days()
        if not days:
            raise LakeError.no_table(self.name, self.path, next_step="build or ingest it first")
        newest = self.read_day(days[-1])[EVENT_TIMESTAMP].max()
        if not isinstance(newest, datetime):
            raise LakeError.no_days(self.name, "its last day", f"{days[0]} to {days[-1]}")
        return newest + timedelta(microseconds=2)


def _day_of(folder: Path) -> date:
    try:
        return date.fromisoformat(folder.name.removeprefix(_DAY))
    except ValueError:
        raise LakeError.not_a_day(folder) from None
