"""What is kept beside the steps of a view, out of the lake."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from lockstep.lake.parquet import read_unchanged
from lockstep.stores.lake_errors import lake_errors
from lockstep.stores.view_table import ViewTable
from lockstep.stores.view_tags import kept_rows
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP


def kept_cells(table: ViewTable, steps: pl.DataFrame) -> list[bytes]:
    """The cell of each of `steps`, which `table` scans; none for a view that keeps no rows.

    Only the days are read that these steps reach back to.

    Raises:
        SourceError: there are no such rows in the lake, or not these columns.
    """
    kept = kept_rows(table.view)
    if kept is None:
        return []
    source, event = table.lake.table(kept.table), pl.col(EVENT_TIMESTAMP)
    if CREATED_TIMESTAMP not in steps.columns:
        steps = steps.with_columns(event.alias(CREATED_TIMESTAMP))
    with lake_errors():
        first, last = steps.select(event.min().alias("first"), event.max().alias("last")).row(0)
        since = (first - timedelta(microseconds=kept.reach_us)).date()
        days = source.days()
        # Where no day is in reach there is nothing to keep, but still the columns.
        read = [day for day in days if since <= day <= last.date()] or days[:1]
        held = read_unchanged(
            table.lake,
            [source.part(day) for day in read],
            lambda: kept.held(source.scan(read), steps, list(table.keys)).collect(),
        )
    return kept.cells(held, steps)
