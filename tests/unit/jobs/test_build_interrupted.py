"""A build that breaks off at any write: nothing wrong is vouched for, the same build completes."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_histories import HOURS, SPECS, Row, built, files, histories, write_source

from lockstep.jobs.arrivals import HOUR_US
from lockstep.jobs.interval import midnight_of
from lockstep.jobs.record import read_record
from lockstep.lake.lake import Lake
from lockstep.lake.local_objects import LocalObjects
from lockstep.windows.final import became_final
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import WindowSpec

END = HOURS + 24


class PowerFailureError(Exception):
    """Nothing is written any more."""


@contextmanager
def failing_after(writes: int) -> Iterator[list[int]]:
    """Lets so many writes and deletes pass; yields the number of them that were tried."""
    lock, tried = threading.Lock(), [0]

    def guarded(real: Callable[..., None]) -> Callable[..., None]:
        def write(*arguments: object) -> None:
            with lock:
                tried[0] += 1
                if tried[0] > writes:
                    raise PowerFailureError
                real(*arguments)

        return write

    with (
        patch.object(LocalObjects, "write_bytes", guarded(LocalObjects.write_bytes)),
        patch.object(LocalObjects, "delete", guarded(LocalObjects.delete)),
    ):
        yield tried


def first_build(lake: Lake, spec: WindowSpec, rows: list[Row]) -> Callable[[], object]:
    write_source(lake, rows)
    return lambda: built(lake, spec, end=END)


def increment(lake: Lake, spec: WindowSpec, rows: list[Row]) -> Callable[[], object]:
    write_source(lake, rows)
    built(lake, spec, end=HOURS)
    return lambda: built(lake, spec, start=HOURS, end=END)


def cascade(lake: Lake, spec: WindowSpec, rows: list[Row]) -> Callable[[], object]:
    write_source(lake, rows[:1])
    built(lake, spec, end=END)
    write_source(lake, rows)
    changed = min((row.known for row in rows[1:]), default=0) // HOUR_US
    return lambda: built(lake, spec, start=changed, end=changed + 1, cascade=True)


def whole_again(lake: Lake, spec: WindowSpec, rows: list[Row]) -> Callable[[], object]:
    write_source(lake, rows[:1])
    built(lake, spec, end=END)
    write_source(lake, rows)
    return lambda: built(lake, spec, end=END, most_steps=5)


def rows_gone(lake: Lake, spec: WindowSpec, rows: list[Row]) -> Callable[[], object]:
    rows = [*rows, Row("a", 1, 40 * HOUR_US, 40 * HOUR_US, 1)]
    write_source(lake, rows)
    built(lake, spec, end=END)
    lake.delete(lake.list(spec.source))
    write_source(lake, rows[-1:])
    return lambda: built(lake, spec, end=END)


def earlier_end(lake: Lake, spec: WindowSpec, rows: list[Row]) -> Callable[[], object]:
    write_source(lake, rows)
    built(lake, spec, end=END)
    return lambda: built(lake, spec, end=30)


def other_definition(lake: Lake, spec: WindowSpec, rows: list[Row]) -> Callable[[], object]:
    write_source(lake, rows)
    built(lake, replace(spec, aggregations=spec.aggregations[:1]), end=END + 24)
    return lambda: built(lake, spec, end=END)


SCENARIOS = (
    first_build,
    increment,
    cascade,
    whole_again,
    rows_gone,
    earlier_end,
    other_definition,
)


def vouched_for(lake: Lake, spec: WindowSpec, until: datetime) -> list[pl.DataFrame]:
    """The steps that became final before `until`, day by day."""
    table = lake.table(spec.table)
    days = [table.read_day(day) for day in table.days() if midnight_of(day) < until]
    steps = [day.filter(became_final(spec) < microseconds(until)) for day in days]
    return [day for day in steps if day.height]


@settings(max_examples=80)
@given(histories(most=6), st.sampled_from(SPECS), st.sampled_from(SCENARIOS), st.data())
def test_a_build_that_broke_off_is_completed_by_the_same_build(
    rows: list[Row],
    spec: WindowSpec,
    scenario: Callable[[Lake, WindowSpec, list[Row]], Callable[[], object]],
    data: st.DataObject,
) -> None:
    rows = [row._replace(event=row.event % 10**11) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        lake, other = Lake.at(f"{folder}/lake"), Lake.at(f"{folder}/other")
        build, undisturbed = scenario(lake, spec, rows), scenario(other, spec, rows)
        before = Lake.at(shutil.copytree(lake.uri, f"{folder}/before"))
        with failing_after(10**6) as writes:
            undisturbed()
        breaks_off = failing_after(data.draw(st.integers(0, writes[0] - 1)))
        with breaks_off, pytest.raises(PowerFailureError):
            build()
        if record := read_record(lake.table(spec.table)):
            old, new = (vouched_for(place, spec, record.end) for place in (before, lake))
            assert all(a.equals(b) for a, b in zip(old, new, strict=True))
        build()
        assert files(lake, spec) == files(other, spec)
