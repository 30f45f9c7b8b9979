"""Where a partition begins that was never read: with what the lake has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from lockstep.contract.record_schema import RecordSchema
from lockstep.lake.facts import live_rows, scan_facts
from lockstep.lake.lake import Lake
from lockstep.stream.carried_window import DEFAULT_LATENESS
from lockstep.stream.checkpoint import Checkpoint
from lockstep.stream.errors import StreamError
from lockstep.stream.port import BEGINNING, partitions_of
from lockstep.windows.microseconds import instant_at, microseconds
from lockstep.windows.spec import EVENT_TIMESTAMP, WindowSpec


def built_until(lake: Lake, specs: Sequence[WindowSpec]) -> datetime:
    """The T up to which all of the tables are built.

    Raises:
        StreamError: one was never built.
    """
    horizons = {spec.table: lake.table(spec.table).horizon() for spec in specs}
    if unbuilt := sorted(table for table, horizon in horizons.items() if horizon is None):
        raise StreamError.unbuilt(unbuilt)
    return min(horizon for horizon in horizons.values() if horizon is not None)


def seeds(
    lake: Lake,
    schema: RecordSchema,
    specs: Sequence[WindowSpec],
    count: int,
    *,
    until: datetime | None = None,
    lateness: timedelta = DEFAULT_LATENESS,
) -> list[Checkpoint]:
    """For each of `count` partitions the rows known before `until`, and the topic's beginning.

    `until` is by default the end of the builds: what the stream has of before is repeated, and
    changes nothing.

    Raises:
        StreamError: a table was never built.
        LakeError: the source is not in the lake.
    """
    cut = until or built_until(lake, specs)
    reach_us = max(spec.reach_us for spec in specs)
    oldest = instant_at(microseconds(cut - lateness) - reach_us)
    facts = scan_facts(lake.table(schema.table)).filter(pl.col(EVENT_TIMESTAMP) >= oldest)
    # Known before the cut, and not at it.
    as_of = cut - timedelta(microseconds=1)
    rows = live_rows(facts, [schema.row_id], known_as_of=as_of).select(schema.names)
    held = lake.table(schema.table).collect(rows.sort(EVENT_TIMESTAMP, schema.row_id))
    owner = pl.Series(partitions_of(held.get_column(schema.key), count))
    return [Checkpoint(held.filter(owner == p), cut, BEGINNING) for p in range(count)]
