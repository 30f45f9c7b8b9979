"""Between the types that Feast declares and those that a column has; nothing is guessed.

A conversion that could change a value silently is refused: text is no number, and 70.5
is no integer. Types unknown here (maps, structs, lists) are passed as they are.
"""

from __future__ import annotations

import polars as pl
from feast import types as feast_types
from feast.types import FeastType

UTC_TIME = pl.Datetime("us", "UTC")

_POLARS_TYPES: dict[FeastType, pl.DataType] = {
    feast_types.Bool: pl.Boolean(),
    feast_types.Int32: pl.Int32(),
    feast_types.Int64: pl.Int64(),
    feast_types.Float32: pl.Float32(),
    feast_types.Float64: pl.Float64(),
    feast_types.String: pl.String(),
    feast_types.Bytes: pl.Binary(),
    feast_types.UnixTimestamp: UTC_TIME,
}


def declared_type(feast_type: FeastType) -> pl.DataType | None:
    """The column type that a Feast type means; None for those that are passed as they are."""
    return _POLARS_TYPES.get(feast_type)


def converted(name: str, got: pl.DataType, wanted: pl.DataType | None) -> pl.Expr | None:
    """The column as `wanted`; None where no conversion keeps every value.

    Evaluating it fails on a value that does not fit: an integer out of range, or a
    number with a fraction where an integer is wanted. NaN becomes null there.
    """
    column = pl.col(name)
    if wanted is None or got == wanted:
        return column
    if isinstance(wanted, pl.Datetime):
        return as_utc(name, got)
    if got == pl.Null:
        return column.cast(wanted)
    if wanted.is_integer() and got.is_float():
        return _whole(column).cast(wanted)
    if got.is_numeric() and wanted.is_numeric():
        return column.cast(wanted)
    if wanted == pl.String and isinstance(got, pl.Categorical | pl.Enum):
        return column.cast(wanted)
    return None


def as_utc(name: str, got: pl.DataType) -> pl.Expr | None:
    """The column in UTC microseconds, a naive time taken as UTC; None where it is no time."""
    column = pl.col(name)
    if got == UTC_TIME:
        return column
    if isinstance(got, pl.Date):
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if not isinstance(got, pl.Datetime):
        return None
    if got.time_zone is None:
        return column.dt.replace_time_zone("UTC").dt.cast_time_unit("us")
    return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")


def _whole(column: pl.Expr) -> pl.Expr:
    """The column with NaN as null, and infinity, which no integer holds, for fractions."""
    whole = pl.when(column == column.floor()).then(column).otherwise(float("inf"))
    return pl.when(column.is_not_nan()).then(whole)
