"""Which rows an interval depends on, against the rule as it reads; and what is not read for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from source_histories import HOUR, HOURS, SPECS, STEPS, T0, Row, histories, write_source

from lockstep.jobs.arrivals import HOUR_US
from lockstep.jobs.inputs import Inputs
from lockstep.jobs.source import open_source
from lockstep.lake.lake import Lake
from lockstep.windows.spec import WindowSpec


@contextmanager
def inputs_of(rows: list[Row], spec: WindowSpec = STEPS) -> Iterator[Inputs]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write_source(lake, rows)
        yield open_source(lake, spec)


def as_rows(frame: pl.DataFrame) -> list[Row]:
    """The rows as they were written, sorted."""
    since = [
        (frame[f"{name}_timestamp"] - T0).dt.total_microseconds() for name in ("event", "created")
    ]
    columns = (frame["shop"], frame["card"], *since, frame["value"], frame["is_deleted"])
    return sorted(Row(*row) for row in zip(*columns, strict=True))


intervals = st.tuples(st.integers(0, HOURS + 60), st.integers(0, HOURS + 60)).map(sorted)


@given(histories(), intervals)
def test_rows_are_found_by_when_they_became_known(rows: list[Row], hours: list[int]) -> None:
    start, end = (hour * HOUR_US for hour in hours)
    with inputs_of(rows) as source:
        found = source.known_in(T0 + hours[0] * HOUR, T0 + hours[1] * HOUR)
        assert as_rows(found) == sorted(row for row in rows if start <= row.known < end)
        found = source.known_in(None, T0 + hours[1] * HOUR)
        assert as_rows(found) == sorted(row for row in rows if row.known < end)


@given(histories(), st.sampled_from(SPECS), intervals)
def test_older_rows_are_those_that_late_rows_reach(
    rows: list[Row], spec: WindowSpec, hours: list[int]
) -> None:
    start, end = (hour * HOUR_US for hour in hours)
    late = [row for row in rows if row.event < start <= row.known < end]

    def reached(row: Row) -> bool:
        return any(
            (row.shop, row.card) == (other.shop, other.card)
            and abs(row.event - other.event) < spec.reach_us
            for other in late
        )

    before = [r for r in rows if r.known < start and r.event < start - spec.reach_us]
    with inputs_of(rows, spec) as source:
        begin = T0 + hours[0] * HOUR
        arrived = source.known_in(begin, T0 + hours[1] * HOUR)
        found = as_rows(source.older_than_window(arrived, begin))
    assert set(filter(reached, before)) <= set(found) <= set(before)
    assert {(r.shop, r.card) for r in found} <= {(r.shop, r.card) for r in late}


def test_partitions_that_cannot_matter_are_not_read() -> None:
    day = 24 * HOUR_US
    rows = [Row("a", 1, n * day, n * day, 1) for n in range(100)]
    rows[40] = rows[40]._replace(created=80 * day + 5)
    with inputs_of(rows) as source:
        days = [T0.date() + timedelta(days=n) for n in range(100)]
        at = T0 + timedelta(days=80)
        assert source.days_known_in(at, at + HOUR) == [days[40], days[80]]
        assert source.days_known_in(at + HOUR, at + 2 * HOUR) == [days[80]]
        assert source.days_reached_by({days[40]}, at) == days[38:43]
