"""Values survive the way through Feast's messages, and are the messages that Feast makes."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from feast import types as feast_types
from feast.type_map import python_values_to_proto_values
from feast.types import FeastType
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.column_types import declared_type
from lockstep.stores.proto_values import proto_values
from lockstep.stores.value_bytes import python_value

CELLS: dict[FeastType, st.SearchStrategy[Any]] = {
    feast_types.Bool: st.booleans(),
    feast_types.Int32: st.integers(-(2**31), 2**31 - 1),
    feast_types.Int64: st.integers(-(2**63), 2**63 - 1),
    feast_types.Float32: st.floats(width=32, allow_nan=False),
    feast_types.Float64: st.floats(allow_nan=False),
    feast_types.String: st.text(),
    feast_types.Bytes: st.binary(),
}


@pytest.mark.parametrize("feast_type", CELLS, ids=str)
@given(data=st.data())
def test_a_column_comes_back_as_it_was(feast_type: FeastType, data: st.DataObject) -> None:
    cells = data.draw(st.lists(CELLS[feast_type] | st.none(), max_size=8))
    column = pl.Series(cells, dtype=declared_type(feast_type))
    messages = proto_values(column, feast_type)
    assert [python_value(m.SerializeToString()) for m in messages] == cells


@pytest.mark.parametrize("feast_type", CELLS, ids=str)
@given(data=st.data())
def test_messages_are_those_that_feast_makes(feast_type: FeastType, data: st.DataObject) -> None:
    # Feast takes empty bytes for a null; they are kept here.
    cell = CELLS[feast_type].filter(lambda cell: cell != b"")
    cells = data.draw(st.lists(cell, min_size=1, max_size=8))
    column = pl.Series(cells, dtype=declared_type(feast_type))
    made = python_values_to_proto_values(cells, feast_type.to_value_type())
    assert proto_values(column, feast_type) == made


def test_types_without_a_fast_way_take_feasts() -> None:
    lists = pl.Series([[1, 2], [3]], dtype=pl.List(pl.Int64))
    messages = proto_values(lists, feast_types.Array(feast_types.Int64))
    assert [python_value(m.SerializeToString()) for m in messages] == [[1, 2], [3]]
