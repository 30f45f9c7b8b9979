"""The checks that every registered window function is put through."""

from __future__ import annotations

from math import sqrt
from typing import Any

import polars as pl
import pytest
from histories import FAR, GRIDS, MINUTE, as_table, built, cuts, frame, histories, spec_of
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from step_oracle import BARS, DAY, REFERENCE, Row, stored_steps, value_of

from lockstep.windows.functions import FUNCTIONS
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.steps import steps

every_function = pytest.mark.parametrize("function", list(FUNCTIONS))


def spec_with(function: str, where: str | None = None, **options: Any) -> WindowSpec:
    definition = FUNCTIONS[function]
    column = ("flag" if function == "rate" else "value") if definition.needs_column else None
    if definition.needs_bar:
        options = {"bar": "1m", "windows": ("1b", "2b", "5b"), **options}
    return spec_of(Aggregation(function, column, what="it", where=where), **options)


def values_of(rows: list[Row], function: str, *, at: int) -> Any:
    """The value over the longest window, of five minutes (one bar), in the step at `at`."""
    needs_bar = FUNCTIONS[function].needs_bar
    spec = spec_with(function, **{"bar": "5m", "windows": ("1b",)} if needs_bar else {})
    table = built(rows, spec)
    step = table.row(by_predicate=pl.col("event_timestamp") == instant_at(at), named=True)
    return step[list(spec.features())[-1]]


def leaving(function: str) -> int:
    """When a row at 0 leaves such a window: a bar as the next one arrives."""
    return 5 * MINUTE + int(FUNCTIONS[function].needs_bar)


def expected_of(rows: list[Row], function: str) -> Any:
    """What the definition says of the rows that such a window holds."""
    return value_of(function, rows, bars=1)


def test_every_function_has_a_definition_to_be_checked_against() -> None:
    assert set(FUNCTIONS) == {*REFERENCE, *BARS}


@every_function
def test_an_empty_window_has_the_value_of_no_rows(function: str) -> None:
    assert values_of([Row(1, 0, 0, 7)], function, at=leaving(function)) == expected_of([], function)


@every_function
def test_a_single_event_stands_for_itself(function: str) -> None:
    row = Row(1, 3, 3, -7)
    assert values_of([row], function, at=4) == expected_of([row], function)


@every_function
def test_rows_that_tie_on_both_times_all_count(function: str) -> None:
    rows = [Row(1, 3, 3, value, value % 2) for value in (4, -2, 9, 9)]
    assert values_of(rows, function, at=4) == expected_of(sorted(rows), function)


@every_function
def test_a_row_leaves_the_window_exactly_at_its_expiry(function: str) -> None:
    first, second = Row(1, 0, 0, 5), Row(1, MINUTE, MINUTE, 8)
    both = [first, second]
    assert values_of(both, function, at=MINUTE + 1) == expected_of(both, function)
    assert values_of(both, function, at=leaving(function)) == expected_of([second], function)


@every_function
@given(data=st.data())
def test_it_is_always_what_its_definition_says(function: str, data: st.DataObject) -> None:
    rows, where = data.draw(histories), data.draw(st.sampled_from([None, "flag"]))
    spec = spec_with(function, where, **data.draw(st.sampled_from(GRIDS)))
    expected = as_table(stored_steps(rows, spec, start=-FAR, end=FAR), spec)
    assert_frame_equal(built(rows, spec), expected, check_exact=True)


@every_function
@given(data=st.data())
def test_neither_order_nor_increments_ever_change_a_byte(
    function: str, data: st.DataObject
) -> None:
    rows, spec = data.draw(histories), spec_with(function)
    edges = [-FAR, *sorted(data.draw(cuts)), FAR]
    shuffled = data.draw(st.permutations(rows))
    parts = [built(shuffled, spec, start=a, end=b) for a, b in zip(edges, edges[1:], strict=False)]
    order = ["key", "event_timestamp", "created_timestamp"]
    whole = built(rows, spec)
    assert_frame_equal(pl.concat(parts).sort(order), whole, check_exact=True)


def test_days_are_counted_in_utc_and_once_each() -> None:
    times = [0, 1, DAY - 1, DAY, 3 * DAY]
    spec = spec_of(Aggregation("active_days", what="it"), windows=("7d",))
    table = built([Row(1, t, t, 0) for t in times], spec)
    days = dict(
        zip(table["event_timestamp"].dt.epoch(), table["key_it_active_days_7d"], strict=True)
    )
    assert [days[t + 1] for t in times] == [1, 1, 1, 2, 3]


def test_a_deviation_is_exact_where_sums_of_squares_leave_64_bits() -> None:
    rows = [Row(1, t, t, 10**12 + t) for t in range(3)]
    table = built(rows, spec_of(Aggregation("std", "value")))
    assert table["key_value_std_5m"].to_list()[1:3] == [sqrt(0.5), 1.0]


def test_ids_of_any_type_can_be_counted() -> None:
    events = frame([Row(1, t, t, 0) for t in range(3)])
    events = events.with_columns(shop=pl.Series(["a", "b", "a"]))
    table = steps(events, spec_of(Aggregation("distinct", "shop")), end=instant_at(FAR))
    assert table["key_shop_distinct_5m"].to_list()[:3] == [1, 2, 2]
