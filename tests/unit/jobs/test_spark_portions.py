"""A bucket computed portion by portion has the steps of the whole."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from source_histories import HOURS, SPECS, T0, Row, histories, source_frame

from lockstep.jobs.arrivals import known_us
from lockstep.jobs.interval import Interval
from lockstep.jobs.spark.portions import portions
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import output_schema, steps

starts = st.none() | st.integers(-1, HOURS)


@settings(max_examples=60)
@given(histories(), st.sampled_from(SPECS), starts, st.integers(1, HOURS), st.integers(1, 8))
def test_portions_add_up(
    rows: list[Row], spec: WindowSpec, start: int | None, hours: int, as_one: int
) -> None:
    since = None if start is None else T0 + timedelta(hours=start)
    interval = Interval(since, (since or T0) + timedelta(hours=hours))
    known = source_frame(rows).filter(known_us() < microseconds(interval.end))
    parts = [
        steps(events, spec, start=portion.start, end=portion.end)
        for portion, events in portions(known, spec, interval, as_one=as_one)
    ]
    order = [*spec.entity_keys, "event_timestamp", "created_timestamp"]
    whole = steps(known, spec, start=interval.start, end=interval.end)
    assert_frame_equal(pl.concat(parts).sort(order), whole)
    assert whole.schema == output_schema(spec, known.schema)


def test_a_hot_bucket_is_cut_and_gives_each_portion_what_reaches_it() -> None:
    day = 24 * 3_600_000_000
    rows = source_frame([Row("a", 1, at * day, at * day, 1) for at in range(10) for _ in range(5)])
    spec = SPECS[0]
    found = list(portions(rows, spec, Interval(None, T0 + timedelta(days=10)), as_one=10))
    assert len(found) > 3
    assert [since.end for since, _ in found[:-1]] == [until.start for until, _ in found[1:]]
    # A portion of two days, and the day before it, which the longest window still holds.
    assert max(events.height for _, events in found) <= 20
