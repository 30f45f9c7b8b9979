"""Micro-batches with carried rows, against one build over all of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import polars as pl
import pytest
from histories import EVERYTHING, FAR, GRIDS, MINUTE, arrivals, built, cuts, frame, spec_of
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from step_oracle import Row

from lockstep.stream.carried_window import CarriedWindow
from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import WindowSpec

KEYS = ["key", "event_timestamp", "created_timestamp"]
specs = st.sampled_from([spec_of(**grid) for grid in GRIDS] + [EVERYTHING])


class Played(NamedTuple):
    """What came out, batch after batch, and the rows that were refused."""

    emitted: pl.DataFrame
    too_late: int
    taken: list[Row]


def play(
    batches: Sequence[Sequence[Row]], ends: Sequence[int], spec: WindowSpec, lateness: timedelta
) -> Played:
    """Each batch up to its end; all of it begins long before."""
    nothing = frame([]).drop("is_deleted")
    window = CarriedWindow(spec, nothing, instant_at(-FAR), lateness=lateness)
    emitted, refused, taken = [], 0, list[Row]()
    for rows, end in zip(batches, ends, strict=True):
        in_time = [row for row in rows if row.event >= window.earliest_us]
        emitted.append(window.advance(frame(in_time).drop("is_deleted"), instant_at(end)))
        refused += len(rows) - len(in_time)
        taken += in_time
    return Played(pl.concat(emitted), refused, taken)


@given(arrivals, specs, cuts)
def test_batches_always_add_up_to_the_build(
    rows: list[Row], spec: WindowSpec, cuts: list[int]
) -> None:
    ends = [-FAR, *sorted(cuts), FAR]
    batches = [
        [row for row in rows if since <= max(row.event, row.created) < until]
        for since, until in pairwise(ends)
    ]
    played = play(batches, ends[1:], spec, timedelta(minutes=30))
    assert played.too_late == 0
    assert_frame_equal(played.emitted.sort(KEYS), built(rows, spec), check_exact=True)


@given(
    st.lists(st.tuples(arrivals, st.integers(0, 4 * MINUTE)), min_size=1, max_size=5),
    specs,
    st.integers(1, 12),
)
@settings(max_examples=150)
def test_rows_that_come_out_of_order_always_leave_what_the_build_has(
    batches: list[tuple[list[Row], int]], spec: WindowSpec, minutes: int
) -> None:
    """Whatever comes when: of each change point the last emitted version is that of the build."""
    ends = [sum(length for _, length in batches[: n + 1]) for n in range(len(batches))]
    rows = [some for some, _ in batches]
    played = play([*rows, []], [*ends, FAR], spec, timedelta(minutes=minutes))
    whole = built(played.taken, spec)
    last = played.emitted.unique(KEYS, keep="last", maintain_order=True)
    assert_frame_equal(last.join(whole, on=KEYS, how="semi").sort(KEYS), whole, check_exact=True)
    # What else was emitted is of a created time that a later one has replaced.
    newest = last.sort(KEYS).unique(KEYS[:2], keep="last", maintain_order=True)
    expected = whole.unique(KEYS[:2], keep="last", maintain_order=True)
    assert_frame_equal(newest, expected, check_exact=True)


def test_a_window_that_empties_is_emitted_without_a_new_row() -> None:
    spec = spec_of()
    window = CarriedWindow(spec, frame([Row(1, 0, 0, 5, 0)]).drop("is_deleted"), instant_at(0))
    none = frame([]).drop("is_deleted")
    first = window.advance(none, instant_at(MINUTE))
    assert first["key_event_count_1m"].to_list() == [1]
    emptied = window.advance(none, instant_at(MINUTE + 1))
    assert emptied["key_event_count_1m"].to_list() == [0]
    assert emptied["key_event_count_2m"].to_list() == [1]
    assert window.advance(none, instant_at(2 * MINUTE)).height == 0
    assert window.advance(none, instant_at(FAR))["key_event_count_5m"].to_list() == [1, 0]
    assert window.rows.height == 0


def test_what_is_carried_is_what_later_steps_can_hold_and_no_more() -> None:
    spec = spec_of(windows=("1m",))
    rows = [Row(1, n * MINUTE, n * MINUTE, 5, 0) for n in range(10)]
    window = CarriedWindow(
        spec, frame([]).drop("is_deleted"), instant_at(0), lateness=timedelta(minutes=2)
    )
    window.advance(frame(rows).drop("is_deleted"), instant_at(9 * MINUTE + 1))
    assert [t.minute for t in window.rows["event_timestamp"]] == [6, 7, 8, 9]


def test_a_cut_never_goes_back() -> None:
    window = CarriedWindow(spec_of(), frame([]).drop("is_deleted"), instant_at(5))
    with pytest.raises(ValueError, match="before the last cut"):
        window.advance(frame([]).drop("is_deleted"), instant_at(4))


def test_a_row_that_comes_too_late_is_refused() -> None:
    none = frame([]).drop("is_deleted")
    window = CarriedWindow(spec_of(), none, instant_at(5), lateness=timedelta(microseconds=3))
    assert window.earliest_us == 2
    assert window.advance(frame([Row(1, 2, 2, 5, 0)]).drop("is_deleted"), instant_at(5)).height
    with pytest.raises(ValueError, match="before the last cut"):
        window.advance(frame([Row(1, 1, 1, 5, 0)]).drop("is_deleted"), instant_at(5))
