"""Column types of the lake as Spark reads them."""

from __future__ import annotations

import polars as pl

from lockstep.lake.spark.errors import SparkError

# How Spark's parquet reader names the types that it knows; unsigned ones have none of their own.
_NAMES = {
    pl.Boolean: "boolean",
    pl.Int8: "tinyint",
    pl.Int16: "smallint",
    pl.Int32: "int",
    pl.Int64: "bigint",
    pl.UInt8: "smallint",
    pl.UInt16: "int",
    pl.UInt32: "bigint",
    pl.UInt64: "decimal(20,0)",
    pl.Float32: "float",
    pl.Float64: "double",
    pl.Binary: "binary",
    pl.Date: "date",
    pl.String: "string",
    pl.Categorical: "string",
    pl.Enum: "string",
}


def spark_schema(schema: pl.Schema) -> str:
    """The same columns in Spark's words; what a task receives is cast back.

    Raises:
        SparkError: a column's type is none that Spark reads exactly.

    >>> spark_schema(pl.Schema({"card": pl.UInt32, "fraud": pl.Boolean}))
    '`card` bigint, `fraud` boolean'
    """
    quoted = {column: column.replace("`", "``") for column in schema}
    types = {column: spark_type(column, kind) for column, kind in schema.items()}
    return ", ".join(f"`{quoted[column]}` {name}" for column, name in types.items())


def spark_type(column: str, kind: pl.DataType) -> str:
    """The type of one column in Spark's words.

    Raises:
        SparkError: it is none that Spark reads exactly.
    """
    if kind == pl.Datetime("us", "UTC"):
        return "timestamp"
    if kind == pl.Datetime("us"):
        return "timestamp_ntz"
    name = _NAMES.get(kind.base_type())
    if name is None:
        raise SparkError.unreadable_type(column, kind)
    return name
