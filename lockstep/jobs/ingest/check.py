"""Validation of every row against the declared columns, all rows at once."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lockstep.jobs.ingest.column import Column, Problem
from lockstep.jobs.ingest.parse import Parsed, parse
from lockstep.jobs.ingest.source import ROW_NUMBER

REASON = "reason"
REASON_SEPARATOR = "; "


def check(raw: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """The columns of `raw` as int64, with its row numbers and the `reason` of bad rows.

    One row out per row in, in order. A reason is `column:problem`, several are joined;
    it is null where the row is good.

    Raises:
        IngestError: a column has a type or a time zone that no row could be read from.
    """
    present = [column for column in columns if column.name in raw.columns]
    parsed = {column: parse(column, raw.schema[column.name]) for column in present}
    values = raw.select(ROW_NUMBER, *(p.value.alias(c.name) for c, p in parsed.items()))
    # Reasons are text and few: only rows with a null or a value out of range can need one.
    suspect = values.select(pl.any_horizontal(_is_suspect(c) for c in present)).to_series()
    reasons = raw.filter(suspect).select(ROW_NUMBER, _reason(parsed))
    return values.join(reasons, on=ROW_NUMBER, how="left", maintain_order="left")


def with_duplicates(checked: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """`checked` in which every good row but the first of its key is a duplicate."""
    good = checked.filter(pl.col(REASON).is_null())
    later = good.filter(~pl.struct(*key).is_first_distinct())
    return with_reason(checked, later[ROW_NUMBER], Problem.DUPLICATE_ID)


def with_reason(checked: pl.DataFrame, row_numbers: pl.Series, problem: Problem) -> pl.DataFrame:
    """`checked` in which the rows of these numbers are rejected for `problem`."""
    chosen = pl.col(ROW_NUMBER).is_in(row_numbers.implode())
    return checked.with_columns(
        pl.when(chosen).then(pl.lit(problem.value)).otherwise(REASON).alias(REASON)
    )


def count_reasons(reasons: pl.Series) -> dict[str, int]:
    """How many rows each reason stands at, most first; a row with two counts for both."""
    each = reasons.drop_nulls().str.split(REASON_SEPARATOR).explode().rename(REASON)
    counts = each.value_counts(name="rows").sort("rows", REASON, descending=[True, False])
    return dict(counts.iter_rows())


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
