"""What the lake already holds of the ids that are about to be added to it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import polars as pl

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.spec import IngestSpec, OutputTable
from lockstep.lake.lake import Lake
from lockstep.lake.parquet import schema_of
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import CREATED_TIMESTAMP


def stored_facts(lake: Lake, spec: IngestSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Every stored fact of the ids of `rows`: `spec.fact`, and for each table a struct.

    The struct, under the table's name, holds the table's other columns; it is null where
    that table lacks the fact, as a table does that lost a partition. Ids are looked up
    whatever the day: partitions are skipped whose range of ids meets neither that of the
    rows on time nor that of those created after their event, which alone reach far back.

    Raises:
        LakeError: a partition is not parquet.
        IngestError: a table has other columns than `spec` gives it.
    """
    tables = [_of_table(lake.table(table.name), table, spec, rows) for table in spec.tables]
    on = list(spec.fact)
    return reduce(lambda one, other: one.join(other, on=on, how="full", coalesce=True), tables)


def packed(table: OutputTable, spec: IngestSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """The facts of valid rows in the same form as stored ones: `spec.fact` and a struct."""
    facts = table.facts(rows)
    return facts.select(*spec.fact, pl.struct(pl.exclude(spec.fact)).alias(table.name))


def _of_table(
    table: LakeTable, output: OutputTable, spec: IngestSpec, rows: pl.DataFrame
) -> pl.DataFrame:
    days = table.days()
    if rows.is_empty() or not days:
        return packed(output, spec, rows.clear())
    others = [name for name in output.facts(rows.clear()).columns if name not in spec.fact]
    scan, key = table.scan(), list(spec.key)
    _check_columns(table, schema_of(table.lake, table.part(days[0])), [*spec.fact, *others])
    # The ids first, and alone: mostly none of them is stored, and nothing else is read.
    ids = scan.filter(_in_ranges(spec, rows)).select(key)
    known = table.collect(ids.join(rows.lazy().select(key), on=key, how="semi")).unique()
    if known.is_empty():
        return packed(output, spec, rows.clear())
    low, high = known[key[0]].min(), known[key[0]].max()
    found = scan.filter(pl.col(key[0]).is_between(low, high)).join(known.lazy(), on=key, how="semi")
    return table.collect(found.select(*spec.fact, pl.struct(others).alias(output.name)))


def _check_columns(table: LakeTable, got: Iterable[str], expected: Iterable[str]) -> None:
    if set(got) != set(expected):
        raise IngestError.other_columns(table.name, got, expected)


def _in_ranges(spec: IngestSpec, rows: pl.DataFrame) -> pl.Expr:
    late = pl.col(CREATED_TIMESTAMP) > pl.col(spec.event_time)
    first = spec.key[0]
    ranges = rows.group_by(late).agg(low=pl.col(first).min(), high=pl.col(first).max())
    bounds = ranges.select("low", "high").iter_rows()
    return pl.any_horizontal(pl.col(first).is_between(low, high) for low, high in bounds)
