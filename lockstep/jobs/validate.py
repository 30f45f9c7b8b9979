"""Whether tables of steps reach an instant and hold together: what may be materialised.

Reads the record of each table, the footers of its days, and the rows of the days that the last
build wrote. It computes nothing again: that what is there is right is the audit's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from lockstep.jobs.errors import TableError
from lockstep.jobs.invariants import invariants
from lockstep.jobs.record import TableRecord, read_record
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import WindowSpec

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class ValidTable:
    """A table that was found to hold together; `rows` were looked at, of `days` days."""

    name: str
    horizon: datetime
    days: int
    rows: int


def validate(lake: Lake, specs: Sequence[WindowSpec], *, end: datetime) -> Iterator[ValidTable]:
    """The tables of the specs, one after another, up to the first that does not hold together.

    Raises:
        TableError: a table was never built, ends before `end`, is stale, has lost a day,
            or has rows that no window can give; the error names the table, the day and what.
        LakeError: the lake cannot be reached, or an object is not parquet.
    """
    for spec in specs:
        table = lake.table(spec.table)
        record = read_record(table)
        if record is None:
            raise TableError.never_built(spec.table)
        _check_reach(record, spec.table, end)
        _check_days(record, table)
        days = _last_written(record)
        rows = sum(_checked_rows(table, spec, record, day) for day in days)
        yield ValidTable(spec.table, record.horizon, len(days), rows)


def _check_reach(record: TableRecord, table: str, end: datetime) -> None:
    if record.stale_days:
        raise TableError.stale(table, record.stale_days)
    if record.end < end:
        raise TableError.too_short(table, record.end, end)


def _check_days(record: TableRecord, table: LakeTable) -> None:
    """Days without steps have no partition; those that stand there are those on record."""
    there, recorded = set(table.days()), set(record.partitions)
    if there != recorded:
        raise TableError.other_days(table.name, recorded - there, there - recorded)


def _last_written(record: TableRecord) -> list[date]:
    """The days that the last build may have written."""
    start = record.build.get("start")
    if start is None:
        return sorted(record.partitions)
    first = datetime.fromisoformat(start).date()
    last = (datetime.fromisoformat(record.build["end"]) - _TICK).date()
    return sorted(day for day in record.partitions if first <= day <= last)


def _checked_rows(table: LakeTable, spec: WindowSpec, record: TableRecord, day: date) -> int:
    rows = table.read_day(day)
    expected = record.partitions[day].rows
    if rows.height != expected:
        raise TableError.other_count(table.name, day, rows.height, expected)
    for what, holds in invariants(spec).items():
        # A comparison with null says nothing: an empty window has no mean.
        broken = rows.filter(~holds.fill_null(value=True))
        if broken.height:
            raise TableError.broken(table.name, day, what, broken.height, broken.row(0))
    _check_unique(rows, table, spec, day)
    return rows.height


def _check_unique(rows: pl.DataFrame, table: LakeTable, spec: WindowSpec, day: date) -> None:
    keys = [*spec.entity_keys, "event_timestamp", "created_timestamp"]
    twice = rows.filter(pl.struct(keys).is_duplicated())
    if twice.height:
        what = f"one row for each {', '.join(keys)}"
        raise TableError.broken(table.name, day, what, twice.height, twice.row(0))
