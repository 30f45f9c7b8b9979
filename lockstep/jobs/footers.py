"""What the footers of a table's partitions say: the table is known without being read."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars.exceptions import PolarsError

from lockstep.jobs.interval import midnight_of
from lockstep.lake.errors import LakeError
from lockstep.lake.table import LakeTable
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

# Room for the footer of a day of some dozens of columns and row groups, in one request.
_TAIL_BYTES = 64 * 1024
# Requests that wait for S3 at the same time.
_AT_ONCE = 16


@dataclass(frozen=True)
class Footer:
    """One day's partition: its rows, its columns, and bounds on what stands in them.

    Bounds are None where the file's writer left no statistics: it may be any time. `nulls`
    counts those of each column that has statistics.
    """

    day: date
    rows: int
    schema: pl.Schema
    oldest_event_us: int | None
    newest_created_us: int | None
    nulls: Mapping[str, int]

    @property
    def oldest_event(self) -> datetime:
        """No event of the partition is before it; its midnight where that is not known."""
        us = self.oldest_event_us
        return midnight_of(self.day) if us is None else instant_at(us)


def read_footers(table: LakeTable, days: Sequence[date]) -> list[Footer]:
    """The footers of `days`, in their order.

    Raises:
        LakeError: a partition is absent or is not parquet.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda day: _read(table, day), days))


def _read(table: LakeTable, day: date) -> Footer:
    key = table.part(day)
    tail = table.lake.read_tail(key, _TAIL_BYTES)
    if (size := int.from_bytes(tail[-8:-4], "little") + 8) > len(tail):
        tail = table.lake.read_tail(key, size)
    try:
        schema = pl.Schema(pl.read_parquet_schema(io.BytesIO(tail)))
        footer = pq.read_metadata(pa.BufferReader(tail))
    except (PolarsError, pa.ArrowInvalid, OSError) as error:
        raise LakeError.unreadable(table.lake.address(key), error) from error
    columns = list(_statistics(footer))
    return Footer(
        day=day,
        rows=footer.num_rows,
        schema=schema,
        oldest_event_us=_bound(columns, EVENT_TIMESTAMP, "min_raw", min),
        newest_created_us=_bound(columns, CREATED_TIMESTAMP, "max_raw", max),
        nulls=_nulls(columns),
    )


def _statistics(footer: Any) -> list[tuple[str, Any]]:
    """Name and statistics (None where there are none) of each column of each row group."""
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    chunks = (group.column(n) for group in groups for n in range(group.num_columns))
    return [(chunk.path_in_schema, chunk.statistics) for chunk in chunks]


def _bound(
    columns: Sequence[tuple[str, Any]], name: str, which: str, chosen: Callable[..., int]
) -> int | None:
    found = [statistics for column, statistics in columns if column == name]
    if not all(statistics is not None and statistics.has_min_max for statistics in found):
        return None
    return chosen((getattr(statistics, which) for statistics in found), default=None)


def _nulls(columns: Sequence[tuple[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, found in columns:
        if found is not None and found.has_null_count:
            counts[name] = counts.get(name, 0) + found.null_count
    return counts
