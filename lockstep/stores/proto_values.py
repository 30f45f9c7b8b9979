"""Feast's Value messages, made from columns; `value_bytes` reads them."""

from __future__ import annotations

import polars as pl
from feast import types as feast_types
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
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


def proto_values(column: pl.Series, feast_type: FeastType) -> list[Value]:
    """One Value for each cell; a null is a Value with nothing in it, as Feast writes it."""
    field = _SCALARS.get(feast_type)
    if field is None:
        value_type = feast_type.to_value_type()
        return list(python_values_to_proto_values(column.to_list(), value_type))
    return [Value() if cell is None else Value(**{field: cell}) for cell in column.to_list()]
