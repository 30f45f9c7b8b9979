"""A source table, checked before anything is written: its footers tell most of it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lockstep.jobs.footers import Footer, read_footers
from lockstep.jobs.inputs import Inputs
from lockstep.lake.errors import LakeError
from lockstep.lake.facts import require_whole
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.windows.check_events import check_events
from lockstep.windows.errors import EventsError
from lockstep.windows.spec import DELETED, WindowSpec


def open_source(lake: Lake, spec: WindowSpec) -> Inputs:
    """The inputs of `spec`, whose columns, types and nulls are what it declares.

    Days may have other columns besides, and those without `is_deleted` delete nothing.
    What footers cannot tell is checked when the rows are read.

    Raises:
        LakeError: there are no partitions, one is not parquet, or not as the first; or an
            ingest of them has not come to its end.
        EventsError: a column is missing, of a wrong type, or has nulls.
    """
    table = lake.table(spec.source)
    versions = lake.versions(table.key("day="))
    days = table.days()
    if not days:
        raise LakeError.no_table(
            table.name, table.address, next_step="ingest it first, see `lockstep ingest --help`"
        )
    require_whole(table)
    footers = read_footers(table, days)
    return Inputs(
        table,
        spec,
        footers,
        _schema(table, footers, spec),
        {day: versions.get(table.part(day), "") for day in days},
    )


def _schema(table: LakeTable, footers: Sequence[Footer], spec: WindowSpec) -> pl.Schema:
    """The columns to read, of the types that every day has."""
    first: dict[str, pl.DataType] = {}
    for footer in footers:
        needed = [name for name in (*spec.source_columns, DELETED) if name in footer.schema]
        own = pl.Schema({name: footer.schema[name] for name in needed})
        first = {**own, **first}
        if missing := set(spec.source_columns) - set(needed):
            raise EventsError.missing_columns(missing, footer.schema)
        if any(first[name] != kind for name, kind in own.items()):
            expected = pl.Schema({name: first[name] for name in needed})
            raise LakeError.other_columns(table.lake.address(table.part(footer.day)), own, expected)
        for name in needed:
            if footer.nulls.get(name):
                raise EventsError.nulls(name, footer.nulls[name])
    check_events(pl.DataFrame(schema=first), spec)
    return pl.Schema(
        {name: first[name] for name in (*spec.source_columns, DELETED) if name in first}
    )
