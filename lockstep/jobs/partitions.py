"""Steps into the day partitions of their table, whole days and parts of days alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from lockstep.jobs.errors import BuildError
from lockstep.jobs.interval import midnight_of
from lockstep.lake.content_hash import content_hash
from lockstep.lake.table import LakeTable
from lockstep.windows.final import became_final
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, WindowSpec

_DAY_US = 86_400_000_000
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class PartitionReceipt:
    """What stands in one day's partition: its rows, its size in bytes, its content's hash.

    A day without rows has no partition: 0 rows, 0 bytes, no hash.
    """

    day: date
    rows: int = 0
    bytes: int = 0
    sha256: str = ""


def split_by_day(batch: pl.DataFrame, spec: WindowSpec) -> Iterator[tuple[date, pl.DataFrame]]:
    """The steps by the UTC day on which they became final, each part in the batch's order."""
    day = batch.select(became_final(spec)).to_series().to_numpy() // _DAY_US
    if not len(day):
        return
    oldest = int(day.min())
    order = np.argsort(_narrow(day - oldest), kind="stable")
    numbers, starts = np.unique(day[order], return_index=True)
    ordered = batch[order]
    for number, start, stop in zip(numbers, starts, [*starts[1:], len(day)], strict=True):
        yield _EPOCH + timedelta(days=int(number)), ordered[int(start) : int(stop)]


def _narrow(days: npt.NDArray[np.int64]) -> npt.NDArray[np.signedinteger | np.unsignedinteger]:
    """Sixteen bits where they are enough (179 years): numpy sorts those by radix."""
    return days.astype(np.uint16) if days.max() < 2**16 else days


def replace_interval(
    table: LakeTable,
    day: date,
    parts: Sequence[pl.DataFrame],
    spec: WindowSpec,
    *,
    start: datetime | None,
    end: datetime | None,
) -> PartitionReceipt:
    """The day's partition, once `parts` stand for its steps that became final in [start, end).

    The day's other steps stay. `parts` follow each other in key order; the partition is
    ordered by keys, event and created time. Without rows the partition is removed. None
    is no bound; a day that lies in the interval as a whole is not read.

    Raises:
        BuildError: the steps that stay have other columns than `parts`.
        LakeError: the day is needed and cannot be read.
    """
    kept = _kept(table, day, spec, start=start, end=end)
    rows = pl.concat(_of_one_schema(table, day, [*parts, *kept])) if parts or kept else None
    if rows is None or rows.is_empty():
        table.drop_days([day])
        return PartitionReceipt(day)
    if kept:
        rows = rows.sort(*spec.entity_keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP)
    rows = rows.rechunk()  # the file's bytes must not depend on how the steps arrived
    return PartitionReceipt(day, rows.height, table.write_day(day, rows), content_hash(rows))


def _kept(
    table: LakeTable, day: date, spec: WindowSpec, *, start: datetime | None, end: datetime | None
) -> list[pl.DataFrame]:
    midnight = midnight_of(day)
    outside = []
    if start is not None and start > midnight:
        outside.append(became_final(spec) < microseconds(start))
    if end is not None and end < midnight + _DAY:
        outside.append(became_final(spec) >= microseconds(end))
    if not outside or not table.lake.exists(table.part(day)):
        return []
    return [table.read_day(day).filter(pl.any_horizontal(outside))]


def _of_one_schema(
    table: LakeTable, day: date, frames: Sequence[pl.DataFrame]
) -> Sequence[pl.DataFrame]:
    for frame in frames:
        if frame.schema != frames[0].schema:
            raise BuildError.other_columns(table.name, day, frame.schema, frames[0].schema)
    return frames
