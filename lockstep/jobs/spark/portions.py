"""Which of a bucket's rows the core is given at once: memory follows these, not the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import polars as pl

from lockstep.jobs.arrivals import known_us
from lockstep.jobs.inputs import reached_by
from lockstep.jobs.interval import Interval
from lockstep.windows.microseconds import instant_at, microseconds
from lockstep.windows.spec import EVENT_TIMESTAMP, WindowSpec

_DAY_US = 86_400_000_000
# A bucket is cut where it has more rows: only one with a hot entity has.
_AS_ONE = 1_000_000
# Rows that become known in one portion; the window before it comes on top.
_PORTION_ROWS = 250_000


def portions(
    rows: pl.DataFrame, spec: WindowSpec, interval: Interval, *, as_one: int = _AS_ONE
) -> Iterator[tuple[Interval, pl.DataFrame]]:
    """The interval in portions that meet at midnights, each with the rows that reach it.

    `rows` are known before the end of the interval; those that reach none of its steps are
    left out.
    """
    for portion in _cut(rows, interval, as_one):
        last = portion.end == interval.end
        known = rows if last else rows.filter(known_us() < microseconds(portion.end))
        yield portion, _needed(known, spec, portion)


def _needed(rows: pl.DataFrame, spec: WindowSpec, interval: Interval) -> pl.DataFrame:
    """What became known in the interval, the window before it, and what late rows reach."""
    if interval.start is None:
        return rows
    start_us, event = microseconds(interval.start), pl.col(EVENT_TIMESTAMP).to_physical()
    near = (known_us() >= start_us) | (event >= start_us - spec.reach_us)
    late = rows.filter(known_us() >= start_us, event < start_us)
    older = reached_by(late, rows.lazy().filter(~near), spec)
    return pl.concat([rows.filter(near), older.collect()])


def _cut(rows: pl.DataFrame, interval: Interval, as_one: int) -> Iterator[Interval]:
    start = interval.start
    if rows.height > as_one:
        for midnight in _midnights(rows, min(as_one, _PORTION_ROWS)):
            if midnight < interval.end and (start is None or start < midnight):
                yield Interval(start, midnight)
                start = midnight
    yield Interval(start, interval.end)


def _midnights(rows: pl.DataFrame, apart: int) -> Iterator[datetime]:
    """The midnights between which about `apart` rows become known; a day is never cut."""
    known = rows.select(known_us() // _DAY_US).to_series().to_numpy()
    days, counts = np.unique(known, return_counts=True)
    portion = np.cumsum(counts) // apart
    for day in days[1:][portion[1:] != portion[:-1]]:
        yield instant_at(int(day) * _DAY_US)
