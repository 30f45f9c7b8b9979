"""How raw values become int64, by the declared type and the type that the file has.

Expressions only. Ranges and nulls are `check`'s business. Nothing is rounded but float
noise in the last places and columns that say so: what the stored unit cannot hold is a problem.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lockstep.contract.name_id import name_id
from lockstep.jobs.ingest.column import Column, Problem
from lockstep.jobs.ingest.errors import IngestError

_UTC_ZONES = {None, "UTC", "Etc/UTC", "GMT", "Zulu", "+00:00"}
_EXACT_IN_FLOAT64 = 2**53
# Four units in the last place: what a few float operations leave. Up to 2**48 units that
# is less than a quarter of a unit, so the nearest unit is never in doubt.
FLOAT_NOISE = 2.0**-50
LARGEST_IN_FLOAT = 2**48
_DECIMAL = r"^([+-]?)([0-9]*)\.?([0-9]*)$"
_INSTANT = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-5][0-9])"
    r"(\.[0-9]{1,6})?0*\s*(Z|z|[+-][0-9]{2}:?(?:[0-9]{2})?)?$"
)
_UTC_OFFSET = r"^(?:[Zz]|[+-]00:?(?:00)?)$"


@dataclass(frozen=True)
class Parsed:
    """A column's int64 values, and the `Problem` of those raw values that have none."""

    value: pl.Expr
    problem: pl.Expr


def parse(column: Column, dtype: pl.DataType) -> Parsed:
    """How `column` is read from a file that has it as `dtype`; null stays null.

    Raises:
        IngestError: the type cannot hold such values, or a time zone other than UTC.
    """
    if dtype == pl.String:
        raw = pl.col(column.name).str.strip_chars()
        raw = pl.when(raw != "").then(raw)
        return _FROM_TEXT[column.type](raw, column)
    return _FROM_TYPED[column.type](pl.col(column.name), dtype, column)


def _typed_integer(raw: pl.Expr, dtype: pl.DataType, column: Column) -> Parsed:
    """Whole floats pass: pandas makes them of integers as soon as one is null."""
    if not (dtype.is_integer() or dtype in (pl.Boolean, pl.Float64)):
        raise IngestError.wrong_type(column.name, dtype, "integers")
    value = raw.cast(pl.Int64, strict=False)
    if dtype == pl.Float64:
        whole = (raw == raw.floor()) & (raw.abs() < _EXACT_IN_FLOAT64)
        value = pl.when(whole).then(value)
    return Parsed(value, _where_lost(raw, value, Problem.NOT_AN_INTEGER))


def _text_integer(raw: pl.Expr, column: Column) -> Parsed:
    value = raw.cast(pl.Int64, strict=False)
    return Parsed(value, _where_lost(raw, value, Problem.NOT_AN_INTEGER))


def _typed_decimal(raw: pl.Expr, dtype: pl.DataType, column: Column) -> Parsed:
    if dtype == pl.Float64:
        return _float_decimal(raw, column)
    if dtype.is_decimal() or dtype.is_integer():
        return _text_decimal(raw.cast(pl.String), column)
    raise IngestError.wrong_type(column.name, dtype, "float64, decimal, integers or text")


def _float_decimal(raw: pl.Expr, column: Column) -> Parsed:
    """The whole number of units within `FLOAT_NOISE` of the value.

    Truncation would lose a unit (57.16 * 100 is 5715.999...), and strict equality would
    refuse what arithmetic leaves behind: the handbook's frauds of 5 * 57.16 are
    285.79999999999995.
    """
    scaled = raw * 10**column.scale
    units = scaled.round()
    is_between = (scaled - units).abs() > units.abs() * FLOAT_NOISE
    problem = (
        pl.when(~raw.is_finite())
        .then(pl.lit(Problem.NOT_A_NUMBER.value))
        .when(scaled > LARGEST_IN_FLOAT)
        .then(pl.lit(Problem.TOO_LARGE.value))
        .when(scaled < -LARGEST_IN_FLOAT)
        .then(pl.lit(Problem.TOO_SMALL.value))
        .when(is_between & (not column.rounded))
        .then(pl.lit(Problem.TOO_PRECISE.value))
    )
    return Parsed(pl.when(problem.is_null()).then(units.cast(pl.Int64, strict=False)), problem)


def _text_decimal(raw: pl.Expr, column: Column) -> Parsed:
    """Digits are taken as they stand; no exponent.

    More of them than the scale has are a float that was written as text, so that a file
    means the same in parquet and in CSV.
    """
    parts = raw.str.extract_groups(_DECIMAL).struct
    sign, whole, fraction = parts[0], parts[1], parts[2].str.strip_chars_end("0")
    digits = sign + whole + fraction.str.pad_end(column.scale, "0")
    exact = pl.when(raw.str.contains("[0-9]")).then(digits.cast(pl.Int64, strict=False))
    as_float = _float_decimal(raw.cast(pl.Float64, strict=False), column)
    is_float = fraction.str.len_bytes() > column.scale
    lost = _where_lost(raw, exact, Problem.NOT_A_NUMBER)
    return Parsed(
        pl.when(is_float).then(as_float.value).otherwise(exact),
        pl.when(is_float).then(as_float.problem).otherwise(lost),
    )


def _typed_timestamp(raw: pl.Expr, dtype: pl.DataType, column: Column) -> Parsed:
    if not isinstance(dtype, pl.Datetime):
        raise IngestError.wrong_type(column.name, dtype, "timestamps or text")
    if dtype.time_zone not in _UTC_ZONES:
        raise IngestError.other_zone(column.name, str(dtype.time_zone))
    value = raw.dt.timestamp("us")
    if dtype.time_unit == "ns":
        value = pl.when(raw.to_physical() % 1_000 == 0).then(value)
    return Parsed(value, _where_lost(raw, value, Problem.TOO_PRECISE))


def _text_timestamp(raw: pl.Expr, column: Column) -> Parsed:
    """`YYYY-MM-DD HH:MM:SS[.ffffff]`, or with a T, naive or with an offset of zero."""
    parts = raw.str.extract_groups(_INSTANT).struct
    naive = pl.concat_str(parts[0], pl.lit(" "), parts[1], parts[2].fill_null(""))
    instant = naive.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    elsewhere = ~parts[3].fill_null("Z").str.contains(_UTC_OFFSET)
    value = pl.when(~elsewhere).then(instant.dt.timestamp("us"))
    problem = (
        pl.when(elsewhere)
        .then(pl.lit(Problem.OTHER_ZONE.value))
        .otherwise(_where_lost(raw, value, Problem.NOT_A_TIMESTAMP))
    )
    return Parsed(value, problem)


def _text_flag(raw: pl.Expr, column: Column) -> Parsed:
    """Numbers, or true and false in letters of either case, as pandas writes them."""
    value = raw.str.to_lowercase().replace({"true": "1", "false": "0"})
    value = value.cast(pl.Int64, strict=False)
    return Parsed(value, _where_lost(raw, value, Problem.NOT_A_FLAG))


def _typed_name(raw: pl.Expr, dtype: pl.DataType, column: Column) -> Parsed:
    raise IngestError.wrong_type(column.name, dtype, "text")


def _text_name(raw: pl.Expr, column: Column) -> Parsed:
    value = raw.map_batches(_name_ids, return_dtype=pl.Int64)
    return Parsed(value, pl.lit(None, pl.String))


def _name_ids(names: pl.Series) -> pl.Series:
    """One id a name; each name is looked at once."""
    known = {name: name_id(name) for name in names.unique().drop_nulls()}
    return names.replace_strict(known, default=None, return_dtype=pl.Int64)


def _where_lost(raw: pl.Expr, value: pl.Expr, problem: Problem) -> pl.Expr:
    """`problem` where there was a raw value and no int64 came of it."""
    return pl.when(raw.is_not_null() & value.is_null()).then(pl.lit(problem.value))


_FROM_TYPED: dict[str, Callable[[pl.Expr, pl.DataType, Column], Parsed]] = {
    "integer": _typed_integer,
    "decimal": _typed_decimal,
    "timestamp": _typed_timestamp,
    "flag": _typed_integer,
    "name": _typed_name,
}
_FROM_TEXT: dict[str, Callable[[pl.Expr, Column], Parsed]] = {
    "integer": _text_integer,
    "decimal": _text_decimal,
    "timestamp": _text_timestamp,
    "flag": _text_flag,
    "name": _text_name,
}
