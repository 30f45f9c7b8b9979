"""Commands made of columns are those that Feast's own messages make, byte for byte."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast import types as feast_types
from feast.types import FeastType
from hypothesis import given
from hypothesis import strategies as st

from lockstep.lake.lake import Lake
from lockstep.stores.column_types import UTC_TIME, declared_type
from lockstep.stores.errors import EntityKeyError
from lockstep.stores.feast_rows import feast_rows
from lockstep.stores.online_rows import online_rows
from lockstep.stores.row_commands import HashWrites
from lockstep.stores.view_table import ViewTable

int64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 300)
CELLS: dict[FeastType, st.SearchStrategy[Any]] = {
    feast_types.Bool: st.booleans(),
    feast_types.Int32: st.integers(-(2**31), 2**31 - 1),
    feast_types.Int64: int64,
    feast_types.Float32: st.floats(width=32),
    feast_types.Float64: st.floats(),
    feast_types.String: st.text(max_size=20) | st.just("é" * 90),
    feast_types.Bytes: st.binary(max_size=20),
    feast_types.Array(feast_types.Int64): st.lists(int64, max_size=3),
}
KEYS: dict[FeastType, tuple[ValueType, st.SearchStrategy[Any]]] = {
    feast_types.Int64: (ValueType.INT64, int64),
    feast_types.Int32: (ValueType.INT32, CELLS[feast_types.Int32]),
    feast_types.String: (ValueType.STRING, CELLS[feast_types.String]),
}
# 1960 to 2100: seconds below zero have ten bytes, those before 1978 fewer than five.
instants = st.integers(-315_619_200_000_000, 4_102_444_800_000_000)


def table(keys: list[FeastType]) -> ViewTable:
    names = {f"key{9 - n}": key for n, key in enumerate(keys)}
    view = FeatureView(
        name="pairs",
        entities=[
            Entity(name=name, join_keys=[name], value_type=KEYS[key][0])
            for name, key in names.items()
        ],
        ttl=timedelta(0),
        schema=[
            *(Field(name=name, dtype=key) for name, key in names.items()),
            *(Field(name=f"f{n}", dtype=feast_type) for n, feast_type in enumerate(CELLS)),
        ],
        source=FileSource(path="pairs", timestamp_field="event_timestamp"),
    )
    return ViewTable(view, Lake.at("."))


@st.composite
def frames(draw: st.DrawFn) -> tuple[ViewTable, pl.DataFrame]:
    view_table = table(draw(st.lists(st.sampled_from(list(KEYS)), max_size=2)))
    count = draw(st.integers(1, 5))
    columns = {
        name: pl.Series(draw(_cells(KEYS[key][1], count)), dtype=declared_type(key))
        for name, key in view_table.keys.items()
    }
    for name, feast_type in view_table.features.items():
        dtype = declared_type(feast_type) or pl.List(pl.Int64)
        # Feast's own encoder knows no null list beside lists.
        nulls = st.none() if declared_type(feast_type) else st.nothing()
        columns[name] = pl.Series(draw(_cells(nulls | CELLS[feast_type], count)), dtype=dtype)
    columns["event_timestamp"] = pl.Series(draw(_cells(instants, count))).cast(UTC_TIME)
    if draw(st.booleans()):
        created = draw(_cells(st.none() | instants, count))
        columns["created_timestamp"] = pl.Series(created, dtype=pl.Int64).cast(UTC_TIME)
    return view_table, pl.DataFrame(columns)


@given(frames())
def test_columns_make_the_commands_that_messages_make(
    frame: tuple[ViewTable, pl.DataFrame],
) -> None:
    view_table, rows = frame
    made = HashWrites.of_frame("p", "pairs", view_table, rows)
    wanted = HashWrites.of_rows(online_rows("p", "pairs", feast_rows(rows, view_table)))
    assert made.commands == wanted.commands
    assert made.keys == wanted.keys
    for one, other in (
        (made.command_starts, wanted.command_starts),
        (made.key_starts, wanted.key_starts),
        (made.event_us, wanted.event_us),
        (made.created_us, wanted.created_us),
    ):
        np.testing.assert_array_equal(one, other)


@given(frames(), st.data())
def test_some_rows_are_a_part_of_all(
    frame: tuple[ViewTable, pl.DataFrame], data: st.DataObject
) -> None:
    view_table, rows = frame
    first = data.draw(st.integers(0, len(rows) - 1))
    end = data.draw(st.integers(first + 1, len(rows)))
    every = HashWrites.of_frame("p", "pairs", view_table, rows)
    some, wanted = every.some(first, end), range(first, end)
    assert [some.command(row) for row in range(len(some))] == [every.command(row) for row in wanted]
    assert [some.key(row) for row in range(len(some))] == [every.key(row) for row in wanted]
    assert some.commands == b"".join(every.command(row) for row in wanted)


def test_a_null_key_is_refused() -> None:
    view_table = table([feast_types.Int64])
    rows = pl.DataFrame({name: [None, 1] for name in ("key9", *view_table.features)}).with_columns(
        pl.col("key9").cast(pl.Int64), pl.lit(0).cast(UTC_TIME).alias("event_timestamp")
    )
    with pytest.raises(EntityKeyError, match="'key9' has 1 nulls"):
        HashWrites.of_frame("p", "pairs", view_table, rows)


def _cells(cell: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(cell, min_size=count, max_size=count)
