"""Where a join is cut in time, so that what it holds at once fits into memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from lockstep.stores.view_join import ViewJoin
from lockstep.windows.spec import EVENT_TIMESTAMP

_MEGABYTE = 10**6
# A column is held as it was read and in one piece: 1.3 GB for 6.7 M steps of six features.
_COPIES = 2
_COLUMN_BYTES = 8
# Packed key and time, order, and the like, for each step.
_ORDER_BYTES = 40

Slice = tuple[datetime | None, datetime]


def time_slices(
    at: pl.Series, views: Sequence[ViewJoin], *, memory_mb: int, first: datetime, last: datetime
) -> list[Slice]:
    """Slices (after, until] of T, oldest first: the first is open, the last ends at `last`.

    `at` are the T of the entity rows, from `first` to `last`. One slice where all steps fit
    into `memory_mb` (10^6 bytes); else cut at whole hours, so that each fits, if an hour
    does.
    """
    budget = max(memory_mb * _MEGABYTE, 1)
    # One view is joined after another, so that the largest counts.
    if max(_step_bytes(view) * _rows(view) for view in views) <= budget:
        return [(None, last)]
    counted = pl.concat([_by_hour(view, first, last) for view in views])
    largest = counted.group_by("hour").agg(pl.col("bytes").max())
    sizes = pl.concat([largest, _rows_by_hour(at, views)])
    hours = sizes.group_by("hour").agg(pl.col("bytes").sum()).sort("hour")
    number = hours.get_column("bytes").cum_sum().to_numpy() // budget
    cuts = hours.get_column("hour").gather(np.flatnonzero(np.diff(number)) + 1).to_list()
    bounds = [*(cut for cut in cuts if first < cut < last), last]
    return list(zip([None, *bounds], bounds, strict=False))


def _step_bytes(view: ViewJoin) -> int:
    columns = len(view.features) + len(view.table.keys) + 2
    return columns * _COLUMN_BYTES * _COPIES + _ORDER_BYTES


def _rows(view: ViewJoin) -> int:
    """All of the table's steps, as their files' footers count them."""
    table = view.table.table
    return int(table.collect(table.scan().select(pl.len())).item())


def _by_hour(view: ViewJoin, after: datetime, until: datetime) -> pl.DataFrame:
    steps = view.scan(after=after, until=until).select(_hour())
    counts = view.table.table.collect(steps.group_by("hour").len("bytes"), engine="streaming")
    return counts.select("hour", pl.col("bytes").cast(pl.Int64) * _step_bytes(view))


def _rows_by_hour(at: pl.Series, views: Sequence[ViewJoin]) -> pl.DataFrame:
    columns = sum(len(view.features) for view in views)
    counts = at.alias(EVENT_TIMESTAMP).to_frame().group_by(_hour()).len("bytes")
    return counts.select("hour", pl.col("bytes").cast(pl.Int64) * columns * _COLUMN_BYTES * _COPIES)


def _hour() -> pl.Expr:
    return pl.col(EVENT_TIMESTAMP).dt.truncate("1h").alias("hour")
