"""The window core: events in, steps out.

A step is a change point of an entity's windows with the finished values that hold from
it until the next one, as far as was known at its created time. A join on
`event_timestamp <= T` among rows created by `known_as_of` (>= T), the newest event time
and then the newest created time winning, gives the windows at T, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import numpy as np
import polars as pl
from polars.datatypes import DataType, DataTypeClass

from lockstep.windows.change_points import ChangePoints, change_points, newest_points
from lockstep.windows.deletions import NEVER
from lockstep.windows.edges import Edges
from lockstep.windows.events import MAX_ROWS, Events, prepare, row_sizes
from lockstep.windows.features import features
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, VALID_UNTIL, WindowSpec
from lockstep.windows.valid_until import valid_until
from lockstep.windows.versions import Versions, versions

_TIME = pl.Datetime("us", "UTC")
_TYPES = {"int64": pl.Int64, "float64": pl.Float64}
_DAY_US = 86_400_000_000


def steps(
    events: pl.DataFrame, spec: WindowSpec, *, end: datetime, start: datetime | None = None
) -> pl.DataFrame:
    """The steps that became final in [start, end): see `final.became_final`.

    `events` are rows of `spec.source`: entity keys, `event_timestamp` and
    `created_timestamp` (UTC, microseconds), and value columns, in any order; optionally
    `is_deleted` (see `deletions`). For an increment, all rows that can still reach a change
    point of the interval. The result has the columns of `output_schema`, ordered by entity
    keys, event time, created time; nulls stand only where a feature has no value for what
    its window holds, and in `valid_until_us` (the next scheduled expiry) when every window
    is empty.

    Raises:
        EventsError: the events are not what the spec declares.
    """
    batches = list(step_batches(events, spec, end=end, start=start))
    if not batches:
        return output_schema(spec, events.schema).to_frame()
    return pl.concat(batches).sort(*spec.entity_keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP)


def step_batches(
    events: pl.DataFrame, spec: WindowSpec, *, end: datetime, start: datetime | None = None
) -> Iterator[pl.DataFrame]:
    """The same steps in frames of bounded size, entities in order of the keys.

    One entity with very many rows is cut at whole UTC days, so that the frames of one day,
    one after another, are in order of the keys and times.

    Raises:
        EventsError: the events are not what the spec declares.
    """
    end_us = microseconds(end)
    start_us = microseconds(start) if start else None
    for batch in prepare(events, spec, end_us=end_us):
        for portion, since, until in _portions(batch, spec, start_us, end_us):
            frame = _portion_steps(portion, spec, start_us=since, end_us=until)
            if frame.height:
                yield frame


def newest_steps(rows: pl.DataFrame, spec: WindowSpec, times: pl.DataFrame) -> pl.DataFrame:
    """The step that holds at T for each key of `times`, as though nothing had come late.

    `times` has the entity keys and T as `event_timestamp`; `rows` are as those of `steps`, none
    of them deleted: for each key those of the longest window before T, and at least one that
    has arrived. A row counts from its event on, whatever its created time. One row out per key, in
    the order of the keys. Not for snapshots.

    Raises:
        EventsError: the rows are not what the spec declares.
    """
    keys = list(spec.entity_keys)
    asked = times.select(*keys, pl.col(EVENT_TIMESTAMP).to_physical().alias("_t"))
    known = rows.with_columns(pl.col(EVENT_TIMESTAMP).alias(CREATED_TIMESTAMP))
    known = known.join(asked, on=keys).filter(pl.col(EVENT_TIMESTAMP).to_physical() < pl.col("_t"))
    end_us = microseconds(times.select(pl.col(EVENT_TIMESTAMP).max()).item()) + 1
    found = []
    for events in prepare(known, spec, end_us=end_us):
        until_us = events.keys.join(asked, on=keys, maintain_order="left")["_t"].to_numpy()
        edges = Edges.of(events, spec)
        points = newest_points(events, edges, spec, until_us)
        stored = versions(events, edges, points, spec, start_us=None)
        found.append(_finished(events, edges, points, stored, spec))
    return pl.concat(found)


def output_schema(spec: WindowSpec, types: Mapping[str, DataType | DataTypeClass]) -> pl.Schema:
    """The columns of the steps and their types; the keys keep theirs."""
    return pl.Schema(
        {
            **{key: types[key] for key in spec.entity_keys},
            EVENT_TIMESTAMP: _TIME,
            CREATED_TIMESTAMP: _TIME,
            **{name: _TYPES[kind] for name, kind in spec.features().items()},
            VALID_UNTIL: pl.Int64,
        }
    )


def _portions(
    events: Events, spec: WindowSpec, start_us: int | None, end_us: int
) -> Iterator[tuple[Events, int | None, int]]:
    """The batch and [start, end); one entity that is too large is cut at whole days."""
    if row_sizes(events.entity, events.event, spec).sum() <= 2 * MAX_ROWS:
        yield events, start_us, end_us
        return
    edges = Edges.of(events, spec)
    if spec.snapshots:
        points = change_points(events, edges, spec, start_us=start_us, end_us=end_us)
        final, most = np.append(points.settled, events.created), MAX_ROWS
    else:
        ends = [np.maximum(edge - events.offset, events.created) for edge in edges.all]
        final, most = np.concatenate(ends), len(ends) * MAX_ROWS
    final = final[(final < end_us) & (final >= (events.origin if start_us is None else start_us))]
    days, steps_of_day = np.unique(final // _DAY_US, return_counts=True)
    portion = np.cumsum(steps_of_day) // most
    cuts = [int(day) * _DAY_US for day in days[1:][portion[1:] != portion[:-1]]]
    for since, until in zip([start_us, *cuts], [*cuts, end_us], strict=True):
        yield events.known_in(since, until, reach_us=spec.reach_us), since, until


def _portion_steps(
    events: Events, spec: WindowSpec, *, start_us: int | None, end_us: int
) -> pl.DataFrame:
    edges = Edges.of(events, spec)
    points = change_points(events, edges, spec, start_us=start_us, end_us=end_us)
    stored = versions(events, edges, points, spec, start_us=start_us)
    return _finished(events, edges, points, stored.final_in(points, start_us, end_us), spec)


def _finished(
    events: Events, edges: Edges, points: ChangePoints, stored: Versions, spec: WindowSpec
) -> pl.DataFrame:
    until = pl.Series(VALID_UNTIL, valid_until(events, edges, points, stored, spec))
    return events.keys[points.entity[stored.point]].with_columns(
        pl.Series(EVENT_TIMESTAMP, points.time[stored.point]).cast(_TIME),
        pl.Series(CREATED_TIMESTAMP, stored.created).cast(_TIME),
        *features(events, points, stored, spec),
        pl.when(until != NEVER).then(until).alias(VALID_UNTIL),
    )
