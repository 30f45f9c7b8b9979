"""Validation of every row against the declared columns, all rows at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add

import polars as pl

from lockstep.jobs.ingest.column import Column, Problem
from lockstep.jobs.ingest.identity import content_ids
from lockstep.jobs.ingest.parse import Parsed, parse
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.split import FILE, ROW_NUMBER
from lockstep.windows.spec import CREATED_TIMESTAMP

REASON = "reason"
REASON_SEPARATOR = "; "
PLACE = (FILE, ROW_NUMBER)


def checked_schema(spec: IngestSpec) -> pl.Schema:
    """The columns of a checked frame: the row's place, the reason, the declared columns."""
    made = spec.key if spec.identity else ()
    numbers = dict.fromkeys((*PLACE, *made, *spec.names), pl.Int64())
    return pl.Schema({**numbers, REASON: pl.String()})


def check(raw: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    """The rows of a split with `checked_schema`: values as int64, the `reason` of bad rows.

    One row out per row in, in order. A reason is `column:problem`, several are joined; it
    is null where the row is good. What the file does not have is null, but rows without
    created times are created when they happen, and nothing is deleted. A key that files do
    not have is the id of the row's content.

    Raises:
        IngestError: a column has a type or a time zone that no row could be read from.
    """
    present = [column for column in spec.columns if column.name in raw.columns]
    parsed = {column: _shifted(column, raw.schema[column.name]) for column in present}
    values = raw.select(*PLACE, *(p.value.alias(c.name) for c, p in parsed.items()))
    # Reasons are text and few: only rows with a null or a value out of range can need one.
    suspect = [_is_suspect(c) for c in present]
    suspect += [_is_below(*map(pl.col, group)) for group in _never_below(parsed, spec)]
    suspect += [_contradicts(*pair) for pair in spec.given_where]
    reasons = raw.filter(values.select(pl.any_horizontal(suspect)).to_series())
    reasons = reasons.select(*PLACE, _reason(parsed, spec))
    checked = values.join(reasons, on=PLACE, how="left", maintain_order="left")
    absent = {c.name: pl.lit(c.default, pl.Int64) for c in spec.columns if c not in parsed}
    if CREATED_TIMESTAMP in absent:
        absent |= {CREATED_TIMESTAMP: pl.col(spec.event_time)}
    checked = checked.with_columns(**absent)
    if spec.identity:
        ids = content_ids(checked, spec.identity)
        checked = checked.with_columns(ids.alias(spec.key[0]))
    return checked.select(checked_schema(spec).names())


def _shifted(column: Column, dtype: pl.DataType) -> Parsed:
    parsed = parse(column, dtype)
    value, problem = parsed.value, parsed.problem
    if column.grid_us is not None:
        is_off = value % column.grid_us != 0
        problem = pl.coalesce(problem, pl.when(is_off).then(pl.lit(Problem.OFF_GRID.value)))
        value = pl.when(~is_off).then(value)
    return Parsed(value + column.shift_us if column.shift_us else value, problem)


def _is_suspect(column: Column) -> pl.Expr:
    return ~pl.col(column.name).is_between(column.minimum, column.maximum).fill_null(False)


def _never_below(parsed: Mapping[Column, Parsed], spec: IngestSpec) -> list[tuple[str, ...]]:
    """The groups whose columns the file has, all of them."""
    present = {column.name for column in parsed}
    return [group for group in spec.never_below if present.issuperset(group)]


def _is_below(larger: pl.Expr, *smaller: pl.Expr) -> pl.Expr:
    return larger < reduce(add, smaller)


def _contradicts(given: str, flag: str) -> pl.Expr:
    return pl.col(given).is_not_null() != (pl.col(flag) == 1)


def _reason(parsed: dict[Column, Parsed], spec: IngestSpec) -> pl.Expr:
    named = [
        pl.concat_str(pl.lit(f"{column.name}:"), _problem(column, each))
        for column, each in parsed.items()
    ]
    value = {column.name: each.value for column, each in parsed.items()}
    groups = _never_below(parsed, spec)
    for larger in dict.fromkeys(group[0] for group in groups):
        below = [_is_below(*(value[n] for n in group)) for group in groups if group[0] == larger]
        reason = pl.lit(f"{larger}:{Problem.BELOW_ANOTHER.value}")
        named.append(pl.when(pl.any_horizontal(below)).then(reason))
    unreadable = {column.name: each.problem.is_not_null() for column, each in parsed.items()}
    for given, flag in spec.given_where:
        contradicts = (value[given].is_not_null() != (value[flag] == 1)) & ~unreadable[given]
        named.append(pl.when(contradicts).then(pl.lit(f"{given}:{Problem.CONTRADICTION.value}")))
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
