"""The model-input step: one function for frames and requests."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.model_input import ModelInputError, model_input

_ORDER = ("whole", "real")
_ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(allow_nan=False, width=64),
    ),
    min_size=1,
)


@given(_ROWS)
def test_a_frame_and_its_rows_one_by_one_give_the_same_bytes(
    rows: list[tuple[int | None, float | None]],
) -> None:
    frame = pl.DataFrame(
        rows, schema={"whole": pl.Int64, "real": pl.Float64}, orient="row", strict=True
    )
    together = model_input(frame.to_dict(), _ORDER)
    single = [
        model_input({name: [value] for name, value in row.items()}, _ORDER)
        for row in frame.iter_rows(named=True)
    ]
    assert together.tobytes() == np.vstack(single).tobytes()


@given(_ROWS)
def test_null_is_nan_and_nothing_else_is(rows: list[tuple[int | None, float | None]]) -> None:
    columns = {"whole": [row[0] for row in rows], "real": [row[1] for row in rows]}
    matrix = model_input(columns, _ORDER)
    nulls = [[value is None for value in row] for row in rows]
    assert np.isnan(matrix).tolist() == nulls


def test_columns_come_in_the_order_asked_for() -> None:
    assert model_input({"b": [2], "a": [1]}, ("a", "b")).tolist() == [[1.0, 2.0]]


def test_an_all_null_column_is_nan() -> None:
    frame = pl.DataFrame({"a": [None, None]})
    assert all(math.isnan(value) for value in model_input(frame.to_dict(), ("a",))[:, 0])


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(ModelInputError, match=r"missing \['b'\]"):
        model_input({"a": [1]}, ("a", "b"))


def test_an_unexpected_feature_is_named() -> None:
    with pytest.raises(ModelInputError, match=r"unexpected \['b'\]"):
        model_input({"a": [1], "b": [1]}, ("a",))


@pytest.mark.parametrize("values", [["1.5"], [None, "1"], [b"1"]])
def test_text_is_not_read_as_a_number(values: list[object]) -> None:
    with pytest.raises(ModelInputError, match="feature 'a' holds"):
        model_input({"a": values}, ("a",))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ModelInputError, match="different numbers of rows"):
        model_input({"a": [1], "b": [1, 2]}, ("a", "b"))
