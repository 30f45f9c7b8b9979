"""Columns become what is declared, or are refused; no value changes silently."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.exceptions import InvalidOperationError

from lockstep.stores.column_types import as_utc, converted

UTC_NOON = datetime(2018, 4, 1, 12, 0, 0, 1, tzinfo=UTC)
NOON = UTC_NOON.replace(tzinfo=None)


def convert(cells: pl.Series, wanted: pl.DataType) -> list[object]:
    expression = converted("c", cells.dtype, wanted)
    assert expression is not None
    return cells.alias("c").to_frame().select(expression).to_series().to_list()


@given(st.lists(st.integers(-(2**53), 2**53) | st.none()))
def test_whole_numbers_kept_as_floats_are_integers(cells: list[int | None]) -> None:
    floats = pl.Series([None if c is None else float(c) for c in cells], dtype=pl.Float64)
    assert convert(floats, pl.Int64()) == cells


def test_nan_is_no_integer_and_becomes_null() -> None:
    assert convert(pl.Series([70.0, float("nan")]), pl.Int64()) == [70, None]


@pytest.mark.parametrize("cell", [70.5, float("inf"), 1e300])
def test_a_number_that_is_no_integer_is_refused(cell: float) -> None:
    with pytest.raises(InvalidOperationError):
        convert(pl.Series([cell]), pl.Int64())


def test_an_integer_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidOperationError):
        convert(pl.Series([2**40]), pl.Int32())


@pytest.mark.parametrize(
    ("got", "wanted"),
    [(pl.String(), pl.Int64()), (pl.Int64(), pl.String()), (pl.Int64(), pl.Datetime("us", "UTC"))],
)
def test_other_kinds_are_refused(got: pl.DataType, wanted: pl.DataType) -> None:
    assert converted("c", got, wanted) is None


@pytest.mark.parametrize(
    "cells",
    [
        pl.Series([NOON], dtype=pl.Datetime("us")),
        pl.Series([NOON], dtype=pl.Datetime("ns")),
        pl.Series([NOON], dtype=pl.Datetime("us")).dt.replace_time_zone("UTC"),
        pl.Series([NOON], dtype=pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("Europe/Moscow"),
    ],
    ids=["naive", "nanoseconds", "utc", "moscow"],
)
def test_every_spelling_of_an_instant_is_one_instant(cells: pl.Series) -> None:
    expression = as_utc("c", cells.dtype)
    assert expression is not None
    converted_cells = cells.alias("c").to_frame().select(expression).to_series()
    assert converted_cells.dtype == pl.Datetime("us", "UTC")
    assert converted_cells.to_list() == [UTC_NOON]


def test_a_date_is_its_midnight() -> None:
    expression = as_utc("c", pl.Date())
    assert expression is not None
    day = pl.DataFrame({"c": [date(2018, 4, 1)]}).select(expression).item()
    assert day == datetime(2018, 4, 1, tzinfo=UTC)


def test_text_is_no_time() -> None:
    assert as_utc("c", pl.String()) is None
