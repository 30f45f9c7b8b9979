"""Validation of every row against the declared columns, all rows at once."""

from __future__ import annotations

import polars as pl

from lockstep.jobs.ingest.column import Column, Problem
from lockstep.jobs.ingest.parse import Parsed, parse
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.split import FILE, ROW_NUMBER
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED

REASON = "reason"
REASON_SEPARATOR = "; "
PLACE = (FILE, ROW_NUMBER)


def checked_schema(spec: IngestSpec) -> pl.Schema:
    """The columns of a checked frame: the row's place, the reason, the declared columns."""
    numbers = dict.fromkeys((*PLACE, *spec.names), pl.Int64())
    return pl.Schema({**numbers, REASON: pl.String()})


def check(raw: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    """The rows of a split with `checked_schema`: values as int64, the `reason` of bad rows.

    One row out per row in, in order. A reason is `column:problem`, several are joined; it
    is null where the row is good. What the file does not have is null, but rows without
    created times are created when they happen, and nothing is deleted.

    Raises:
        IngestError: a column has a type or a time zone that no row could be read from.
    """
    present = [column for column in spec.columns if column.name in raw.columns]
    parsed = {column: parse(column, raw.schema[column.name]) for column in present}
    values = raw.select(*PLACE, *(p.value.alias(c.name) for c, p in parsed.items()))
    # Reasons are text and few: only rows with a null or a value out of range can need one.
    suspect = values.select(pl.any_horizontal(_is_suspect(c) for c in present)).to_series()
    reasons = raw.filter(suspect).select(*PLACE, _reason(parsed))
    checked = values.join(reasons, on=PLACE, how="left", maintain_order="left")
    absent = {name: pl.lit(None, pl.Int64) for name in spec.names if name not in raw.columns}
    if CREATED_TIMESTAMP in absent:
        absent |= {CREATED_TIMESTAMP: pl.col(spec.event_time)}
    if DELETED in absent:
        absent |= {DELETED: pl.lit(0, pl.Int64)}
    return checked.with_columns(**absent).select(checked_schema(spec).names())


def _is_suspect(column: Column) -> pl.Expr:
    return ~pl.col(column.name).is_between(column.minimum, column.maximum).fill_null(False)


def _reason(parsed: dict[Column, Parsed]) -> pl.Expr:
    named = [
        pl.concat_str(pl.lit(f"{column.name}:"), _problem(column, each))
        for column, each in parsed.items()
    ]
    joined = pl.concat_str(named, separator=REASON_SEPARATOR, ignore_nulls=True)
    return pl.when(joined != "").then(joined).alias(REASON)


def _problem(column: Column, parsed: Parsed) -> pl.Expr:
    missing = parsed.value.is_null() & (not column.nullable)
    return pl.coalesce(
        parsed.problem,
        pl.when(missing).then(pl.lit(Problem.NULL.value)),
        pl.when(parsed.value < column.minimum).then(pl.lit(Problem.TOO_SMALL.value)),
        pl.when(parsed.value > column.maximum).then(pl.lit(Problem.TOO_LARGE.value)),
    )
