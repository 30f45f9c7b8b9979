"""Pieces of an interval: they meet, at midnights, and are no larger than a day needs."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from source_histories import GRID, HOUR, STEPS, T0

from lockstep.jobs.footers import Footer
from lockstep.jobs.interval import Interval
from lockstep.jobs.slices import slices


def footers(*rows: int) -> list[Footer]:
    days = [T0.date() + timedelta(days=n) for n in range(len(rows))]
    return [Footer(d, n, pl.Schema(), None, None, {}) for d, n in zip(days, rows, strict=True)]


@given(
    st.lists(st.integers(0, 9), max_size=30),
    st.none() | st.integers(0, 400),
    st.integers(1, 400),
    st.integers(1, 60),
    st.sampled_from([STEPS, GRID]),
)
def test_they_cover_the_interval(
    rows: list[int], start: int | None, hours: int, most: int, spec: object
) -> None:
    since = None if start is None else T0 + start * HOUR
    whole = Interval(since, T0 + ((start or 0) + hours) * HOUR)
    pieces = list(slices(whole, footers(*rows), spec, most_steps=most))  # type: ignore[arg-type]
    assert (pieces[0].start, pieces[-1].end) == (whole.start, whole.end)
    for one, next_one in zip(pieces, pieces[1:], strict=False):
        assert one.end == next_one.start
        assert one.end.hour == 0
        assert one.start is None or one.start < one.end


def test_they_are_cut_where_the_steps_are_too_many() -> None:
    """Windows of less than a day expire on the day of the event, the longest on the next."""
    ends = [
        piece.end
        for piece in slices(
            Interval(None, T0 + timedelta(days=9)), footers(2, 2, 2), STEPS, most_steps=14
        )
    ]
    assert ends == [T0 + timedelta(days=days) for days in (2, 9)]


def test_steps_of_a_day_without_rows_count() -> None:
    whole = Interval(None, T0 + timedelta(days=9))
    pieces = list(slices(whole, footers(10), GRID, most_steps=20))
    assert [piece.end for piece in pieces] == [T0 + timedelta(days=2), whole.end]
