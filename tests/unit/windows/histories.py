"""Random histories of events, and specifications to build from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl
from hypothesis import strategies as st
from step_oracle import Row

from lockstep.windows.microseconds import instant_at
from lockstep.windows.spec import Aggregation, Ratio, WindowSpec
from lockstep.windows.steps import output_schema, steps

MINUTE = 60_000_000
FAR = 10_000 * MINUTE
TIME = pl.Datetime("us", "UTC")
COUNT = Aggregation("count", what="event")
ADDITIVE = (COUNT, Aggregation("sum", "value"), Aggregation("mean", "value"))


def spec_of(*aggregations: Aggregation, **options: Any) -> WindowSpec:
    """A specification over the test events with windows of 1, 2 and 5 minutes."""
    fields: dict[str, Any] = {"windows": ("1m", "2m", "5m"), **options}
    return WindowSpec(
        name="key_windows",
        source="test/events",
        entity="key",
        entity_keys=("key",),
        aggregations=aggregations or ADDITIVE,
        **fields,
    )


# What a release may ask for all at once: filters, ratios, several statistics of one column.
EVERYTHING = spec_of(
    *ADDITIVE,
    Aggregation("std", "value"),
    Aggregation("min", "value"),
    Aggregation("max", "value", what="bad_value", where="flag"),
    Aggregation("median", "value"),
    Aggregation("distinct", "value"),
    Aggregation("last", "value"),
    Aggregation("count", what="bad", where="flag"),
    Aggregation("sum", "value", what="bad_value", where="flag"),
    Aggregation("rate", "flag"),
    Aggregation("last_event_time", what="event"),
    ratios=(
        Ratio("bad_share", of=Aggregation("count", what="bad", where="flag"), to=COUNT),
        Ratio(
            "bad_minute_share",
            of=Aggregation("distinct", "value", where="flag"),
            to=Aggregation("active_days", what="event"),
        ),
    ),
)
GRIDS = [
    {},
    {"resolution": "1m"},
    {"resolution": "2m"},
    {"resolution": "1m", "snapshots": True},
    {"resolution": "2m", "snapshots": True},
]

# Times on and beside the edges of all windows, so that ties and equal edges are common.
ticks = st.builds(
    lambda minute, off: minute * MINUTE + off, st.integers(0, 14), st.sampled_from([0, 0, 1, -1, 7])
)
delays = st.one_of(
    st.just(0), st.just(1), st.sampled_from([2, MINUTE, 3 * MINUTE]), st.integers(-5, 9 * MINUTE)
)
rows = st.builds(
    lambda key, event, delay, value, flag: Row(key, event, event + delay, value, flag),
    st.integers(1, 3),
    ticks,
    delays,
    st.one_of(st.integers(-3, 3), st.integers(-(10**6), 10**6)),
    st.integers(0, 1),
)
on_time = st.lists(rows.map(lambda r: r._replace(created=r.event)), min_size=1, max_size=14)
arrivals = st.lists(rows, min_size=1, max_size=14)
cuts = st.lists(st.integers(-MINUTE, 25 * MINUTE), max_size=4)


@st.composite
def _with_deletions(draw: st.DrawFn) -> list[Row]:
    """Late rows, some of them deleted, some of these replaced at the same moment."""
    history = draw(st.lists(rows, min_size=1, max_size=10))
    changes: list[Row] = []
    for row in history:
        if not draw(st.booleans()):
            continue
        known = max(row.event, row.created)
        when = known + draw(st.one_of(st.just(0), st.just(1), st.integers(0, 9 * MINUTE)))
        changes.append(row._replace(created=when, deleted=True))
        if draw(st.booleans()):
            changes.append(draw(rows)._replace(created=when, key=row.key))
    return draw(st.permutations(history + changes))


histories = st.one_of(on_time, arrivals, _with_deletions())


def frame(history: Sequence[Row]) -> pl.DataFrame:
    """The rows as a source table."""
    schema = {"key": pl.Int64, "event_timestamp": pl.Int64, "created_timestamp": pl.Int64}
    schema |= {"value": pl.Int64, "flag": pl.Int64, "is_deleted": pl.Boolean}
    data = pl.DataFrame(history, schema=schema, orient="row")
    return data.with_columns(pl.col("event_timestamp", "created_timestamp").cast(TIME))


def built(
    history: Sequence[Row], spec: WindowSpec, *, start: int | None = None, end: int = FAR
) -> pl.DataFrame:
    """The core's steps."""
    since: datetime | None = None if start is None else instant_at(start)
    return steps(frame(history), spec, start=since, end=instant_at(end))


def as_table(expected: list[dict[str, Any]], spec: WindowSpec) -> pl.DataFrame:
    """The oracle's steps in the core's columns and types."""
    schema = output_schema(spec, {"key": pl.Int64})
    plain = {n: pl.Int64 if t == TIME else t for n, t in schema.items()}
    table = pl.DataFrame([{name: row[name] for name in plain} for row in expected], schema=plain)
    return table.cast(dict(schema))
