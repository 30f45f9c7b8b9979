"""The window core: events in, steps out.

A step is a change point of an entity's windows with the finished values that hold from
it until the next one, as far as was known at its created time. A join on
`event_timestamp <= T` among rows created by `known_as_of` (>= T), the newest event time
and then the newest created time winning, gives the windows at T, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from lockstep.windows.change_points import NEVER, ChangePoints, change_points
from lockstep.windows.events import Events, Ints, prepare
from lockstep.windows.spec import (
    CREATED_TIMESTAMP,
    EVENT_TIMESTAMP,
    VALID_UNTIL,
    Aggregation,
    WindowSpec,
)
from lockstep.windows.versions import Versions, versions

_TIME = pl.Datetime("us", "UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def steps(
    events: pl.DataFrame, spec: WindowSpec, *, end: datetime, start: datetime | None = None
) -> pl.DataFrame:
    """The steps that became final in [start, end): those whose max(event, created) lies in it.

    `events` are rows of `spec.source`: entity keys, `event_timestamp` and
    `created_timestamp` (UTC, microseconds), and integer value columns, in any order; for
    an increment, all rows that can still reach a change point of the interval. The result
    has the entity keys, both timestamps, the features of `spec.features()` and
    `valid_until_us` (the next scheduled expiry; null when every window is empty), ordered
    by entity keys, event time, created time; no nulls but in the mean and rate of an
    empty window and in `valid_until_us`.

    Raises:
        EventsError: the events are not what the spec declares.
    """
    batches = list(step_batches(events, spec, end=end, start=start))
    return pl.concat(batches) if batches else _empty(events, spec)


def step_batches(
    events: pl.DataFrame, spec: WindowSpec, *, end: datetime, start: datetime | None = None
) -> Iterator[pl.DataFrame]:
    """The same steps in batches of whole entities, in order of the keys.

    Raises:
        EventsError: the events are not what the spec declares.
    """
    end_us = _microseconds(end)
    start_us = _microseconds(start) if start else None
    for batch in prepare(events, spec, end_us=end_us):
        yield _batch_steps(batch, spec, start_us=start_us, end_us=end_us)


def _batch_steps(
    events: Events, spec: WindowSpec, *, start_us: int | None, end_us: int
) -> pl.DataFrame:
    points = change_points(events, spec.lengths_us, end_us=end_us)
    stored = versions(events, points, spec.lengths_us)
    event = points.time[stored.point]
    windows = {
        **{f"count:{w}": _counts(points, stored, w) for w in range(len(spec.windows))},
        **{
            f"{column}:{w}": _sums(events, points, stored, w, column)
            for column in spec.value_columns
            for w in range(len(spec.windows))
        },
    }
    frame = events.keys[points.entity[stored.point]].with_columns(
        pl.Series(EVENT_TIMESTAMP, event).cast(_TIME),
        pl.Series(CREATED_TIMESTAMP, stored.created).cast(_TIME),
        pl.Series(VALID_UNTIL, stored.valid_until),
        *(pl.Series(name, values) for name, values in windows.items()),
    )
    final = np.maximum(event, stored.created)
    if start_us is not None:
        frame = frame.filter(pl.Series(final >= start_us))
    return frame.select(
        *spec.entity_keys,
        EVENT_TIMESTAMP,
        CREATED_TIMESTAMP,
        *_finished(spec),
        pl.when(pl.col(VALID_UNTIL) != NEVER).then(VALID_UNTIL).alias(VALID_UNTIL),
    )


def _counts(points: ChangePoints, stored: Versions, w: int) -> Ints:
    held: Ints = (points.high - points.low[w])[stored.point]
    return held - stored.missing_count(w)


def _sums(events: Events, points: ChangePoints, stored: Versions, w: int, column: str) -> Ints:
    values = events.values[column]
    total = np.append(0, np.cumsum(values))
    held: Ints = (total[points.high] - total[points.low[w]])[stored.point]
    return held - stored.missing_sum(w, values)


def _finished(spec: WindowSpec) -> list[pl.Expr]:
    return [
        _finish(aggregation, w).alias(spec.feature(aggregation, window))
        for aggregation in spec.aggregations
        for w, window in enumerate(spec.windows)
    ]


def _finish(aggregation: Aggregation, w: int) -> pl.Expr:
    """The finished value: exact integers up to the one division of a mean or a rate."""
    count, total = pl.col(f"count:{w}"), pl.col(f"{aggregation.column}:{w}")
    match aggregation.function:
        case "count":
            return count
        case "sum":
            return total
        case "mean" | "rate":
            return pl.when(count > 0).then(total / count)


def _empty(events: pl.DataFrame, spec: WindowSpec) -> pl.DataFrame:
    types = {"int64": pl.Int64, "float64": pl.Float64}
    return pl.DataFrame(
        schema={
            **{key: events.schema[key] for key in spec.entity_keys},
            EVENT_TIMESTAMP: _TIME,
            CREATED_TIMESTAMP: _TIME,
            **{name: types[kind] for name, kind in spec.features().items()},
            VALID_UNTIL: pl.Int64,
        }
    )


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
