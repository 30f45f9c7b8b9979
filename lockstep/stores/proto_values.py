"""Feast's Value messages: from columns when writing, to Python values when reading."""

from __future__ import annotations

from typing import Any

import polars as pl
from feast import types as feast_types
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values
from feast.types import FeastType

_SCALARS: dict[FeastType, str] = {
    feast_types.Bool: "bool_val",
    feast_types.Int32: "int32_val",
    feast_types.Int64: "int64_val",
    feast_types.Float32: "float_val",
    feast_types.Float64: "double_val",
    feast_types.String: "string_val",
    feast_types.Bytes: "bytes_val",
}
_SCALAR_FIELDS = frozenset(_SCALARS.values())


def proto_values(column: pl.Series, feast_type: FeastType) -> list[Value]:
    """One Value for each cell; a null is a Value with nothing in it, as Feast writes it."""
    field = _SCALARS.get(feast_type)
    if field is None:
        value_type = feast_type.to_value_type()
        return list(python_values_to_proto_values(column.to_list(), value_type))
    return [Value() if cell is None else Value(**{field: cell}) for cell in column.to_list()]


def python_value(data: bytes) -> Any:
    """What a serialised Value holds; None for a null."""
    value = Value.FromString(data)
    field = value.WhichOneof("val")
    if field in _SCALAR_FIELDS:
        return getattr(value, field)
    return None if field is None else feast_value_type_to_python_type(value)
