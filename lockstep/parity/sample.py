"""Entities of a view that nobody need have asked for, drawn from its table."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from lockstep.stores.column_types import UTC_TIME
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import EVENT_TIMESTAMP


def sampled_entities(table: ViewTable, count: int, t: datetime) -> pl.DataFrame:
    """The keys of up to `count` entities that had a row by `t`, and `event_timestamp`, which is t.

    Every entity is as likely as another, however many rows it has; the same ones each time.

    Raises:
        SourceError: the table cannot be read.
    """
    keys = list(table.keys)
    rows = table.scan(()).filter(pl.col(EVENT_TIMESTAMP) <= t).select(keys).unique()
    found = table.table.collect(rows).sort(keys)
    drawn = found.sample(min(count, found.height), seed=1)
    return drawn.with_columns(pl.lit(t).cast(UTC_TIME).alias(EVENT_TIMESTAMP))
