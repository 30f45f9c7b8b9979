"""The window core against its definitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from histories import (
    EVERYTHING,
    FAR,
    GRIDS,
    MINUTE,
    as_table,
    built,
    cuts,
    frame,
    histories,
    spec_of,
)
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from step_oracle import Row, live, stored_steps, values_at

from lockstep.windows.errors import EventsError, WindowSpecError
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.steps import steps

SPEC = spec_of()


def test_the_worked_example_of_the_design() -> None:
    day = 24 * 60
    spec = WindowSpec(
        "w", "s", "key", ("key",), ("1d", "7d"), (Aggregation("count", what="event"),)
    )
    minutes = [Row(1, t * MINUTE, t * MINUTE, 0) for t in (0, 0, day)]
    table = steps(frame(minutes), spec, end=instant_at(30 * day * MINUTE))
    d, u = day * MINUTE, 1
    assert table.select(
        pl.col("event_timestamp").to_physical(),
        "key_event_count_1d",
        "key_event_count_7d",
        "valid_until_us",
    ).rows() == [
        (u, 2, 2, d),
        (d, 0, 2, 7 * d),
        (d + u, 1, 3, 2 * d),
        (2 * d, 0, 3, 7 * d),
        (7 * d, 0, 1, 8 * d),
        (8 * d, 0, 0, None),
    ]


grids = st.sampled_from(GRIDS).map(lambda grid: replace(EVERYTHING, **grid))


@given(histories, grids)
def test_the_versions_are_always_those_of_the_definition(rows: list[Row], spec: WindowSpec) -> None:
    expected = as_table(stored_steps(rows, spec, start=-FAR, end=FAR), spec)
    assert_frame_equal(built(rows, spec), expected, check_exact=True)


@given(histories, grids, st.integers(-MINUTE, 25 * MINUTE), st.integers(0, 10 * MINUTE))
def test_a_join_always_answers_what_was_known(
    rows: list[Row], spec: WindowSpec, t: int, patience: int
) -> None:
    known_as_of = t + patience
    seen = built(rows, spec).filter(
        pl.col("event_timestamp") <= instant_at(t),
        pl.col("created_timestamp") <= instant_at(known_as_of),
    )
    for key in {r.key for r in rows}:
        known = [r._replace(created=max(r.event, r.created)) for r in rows if r.key == key]
        expected = values_at(live(known, known_as_of), spec, t)
        mine = seen.filter(pl.col("key") == key)
        answer = mine.sort("event_timestamp", "created_timestamp").tail(1)
        if answer.is_empty():
            assert expected["key_event_count_5m"] == 0
        else:
            assert answer.row(0, named=True).items() >= expected.items()


@given(histories, grids, cuts)
def test_increments_always_add_up_to_the_full_build(
    rows: list[Row], spec: WindowSpec, cuts: list[int]
) -> None:
    edges = [-FAR, *sorted(cuts), FAR]
    parts = [built(rows, spec, start=a, end=b) for a, b in zip(edges, edges[1:], strict=False)]
    order = ["key", "event_timestamp", "created_timestamp"]
    assert_frame_equal(pl.concat(parts).sort(order), built(rows, spec), check_exact=True)


@given(histories, grids, st.randoms(use_true_random=False))
def test_the_order_of_the_input_never_matters(
    rows: list[Row], spec: WindowSpec, random: Any
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert_frame_equal(built(shuffled, spec), built(rows, spec), check_exact=True)


@given(histories, grids, st.integers(0, 12 * MINUTE))
def test_a_build_never_sees_what_came_after_its_end(
    rows: list[Row], spec: WindowSpec, end: int
) -> None:
    known = [r for r in rows if max(r.event, r.created) < end]
    assert_frame_equal(built(rows, spec, end=end), built(known, spec, end=end), check_exact=True)


@given(histories, grids, st.integers(0, 14 * MINUTE), st.integers(0, 4 * MINUTE))
def test_an_increment_never_needs_rows_out_of_reach(
    rows: list[Row], spec: WindowSpec, start: int, length: int
) -> None:
    """On-time rows before the reach of the start may be missing, if nothing late reaches them."""
    late = [r for r in rows if r.created >= start]
    oldest = min([start, *(r.event for r in late)])
    near = [r for r in rows if r.event >= oldest - spec.reach_us]
    end = start + length
    assert_frame_equal(
        built(near, spec, start=start, end=end),
        built(rows, spec, start=start, end=end),
        check_exact=True,
    )


def test_rows_that_arrive_together_give_one_version_each() -> None:
    rows = [Row(1, t * MINUTE, 60 * MINUTE, 1) for t in range(10)]
    table = built(rows, SPEC)
    assert table["created_timestamp"].unique().to_list() == [instant_at(60 * MINUTE)]
    assert table["event_timestamp"].is_unique().all()


def test_composite_and_text_keys_are_kept_apart() -> None:
    spec = WindowSpec("w", "s", "pair", ("a", "b"), ("1m",), (Aggregation("count", what="event"),))
    one = frame([Row(1, 0, 0, 0)]).drop("key")
    events = pl.concat(
        [one.with_columns(a=pl.lit(a), b=pl.lit(b)) for a, b in (("1", "23"), ("12", "3"))]
    )
    table = steps(events, spec, end=instant_at(FAR))
    assert table.select("a", "b").unique().sort("a").rows() == [("1", "23"), ("12", "3")]
    assert table["pair_event_count_1m"].max() == 1


def test_no_events_give_an_empty_table_with_all_columns() -> None:
    table = built([], SPEC)
    assert table.is_empty()
    assert table.schema == built([Row(1, 0, 0, 0)], SPEC).schema


def test_sums_stay_exact_where_floats_would_not() -> None:
    rows = [Row(1, 0, 0, 2**53), Row(1, 1, 1, 1)]
    assert built(rows, SPEC)["key_value_sum_5m"].max() == 2**53 + 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (pl.col("value").cast(pl.Float64), "expected an integer"),
        (pl.lit(None, dtype=pl.Int64).alias("value"), "1 nulls"),
        (pl.lit(None, dtype=pl.Int64).alias("key"), "1 nulls"),
        (pl.col("event_timestamp").cast(pl.Datetime("ns", "UTC")), "expected Datetime"),
        (pl.col("event_timestamp").dt.replace_time_zone(None), "expected Datetime"),
        (pl.lit(2**63 - 1).alias("value"), None),
    ],
)
def test_events_of_the_wrong_shape_are_refused(change: pl.Expr, problem: str | None) -> None:
    events = pl.concat([frame([Row(1, 0, 0, 1)])] * 1).with_columns(change)
    if problem is None:
        events, problem = pl.concat([events, events]), "sums overflow"
    with pytest.raises(EventsError, match=problem):
        steps(events, SPEC, end=instant_at(FAR))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(EventsError, match=r"lack \['value'\]"):
        steps(frame([Row(1, 0, 0, 1)]).drop("value"), SPEC, end=instant_at(FAR))


def test_a_rate_takes_only_zeros_and_ones() -> None:
    spec = WindowSpec("w", "s", "key", ("key",), ("1m",), (Aggregation("rate", "value"),))
    with pytest.raises(EventsError, match="not 0 and 1"):
        steps(frame([Row(1, 0, 0, 2)]), spec, end=instant_at(FAR))


@pytest.mark.parametrize("text", ["", "d", "0d", "1.5h", "7 d", "-1d", "1w"])
def test_a_duration_is_a_whole_number_and_a_unit(text: str) -> None:
    with pytest.raises(WindowSpecError, match="not a length of time"):
        WindowSpec("w", "s", "key", ("key",), (text,), (Aggregation("count", what="e"),))


def test_windows_must_grow() -> None:
    with pytest.raises(WindowSpecError, match="must grow"):
        WindowSpec("w", "s", "key", ("key",), ("2m", "1m"), (Aggregation("count", what="e"),))


def test_late_rows_that_would_fill_the_memory_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lockstep.windows.versions._MOST_LATE_PAIRS", 5)
    rows = [Row(1, t * MINUTE, (30 + t) * MINUTE, 1) for t in range(10)]
    with pytest.raises(EventsError, match="late rows would add .* versions to a batch of 10 rows"):
        built(rows, SPEC)
