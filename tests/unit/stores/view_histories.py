"""Feature views over random histories in a lake, and entity rows to be joined to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Int64, String
from hypothesis import strategies as st

from lockstep.lake.lake import Lake
from lockstep.stores.view_join import ViewJoin
from lockstep.stores.view_table import ViewTable

T0 = datetime(2018, 4, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
_HALF_HOURS = 20


class Step(NamedTuple):
    """One row of a view; times in half hours after T0."""

    key: int
    event: int
    created: int
    count: int | None
    name: str | None = None


class Row(NamedTuple):
    """One entity row."""

    a: int | None
    b: int | None
    at: int
    patience: int


keys = st.integers(1, 3)
times = st.integers(0, _HALF_HOURS - 1)
steps = st.lists(
    st.builds(
        lambda key, event, late, count, name: Step(key, event, event + late, count, name),
        keys,
        times,
        st.sampled_from([0, 0, 1, 5, 15]),
        st.integers(0, 9) | st.none(),
        st.sampled_from(["p", "q", None]),
    ),
    min_size=1,
    max_size=25,
)
rows = st.lists(
    st.builds(Row, keys | st.none(), keys, times, st.sampled_from([0, 0, 3, 12])),
    min_size=1,
    max_size=20,
)


def step_frame(history: Sequence[Step], key: str) -> pl.DataFrame:
    """The steps as their table has them."""
    columns = {key: pl.Int64, "event": pl.Int64, "created": pl.Int64}
    frame = pl.DataFrame(
        history, schema={**columns, "count": pl.Int64, "name": pl.String}, orient="row"
    )
    return frame.select(
        key,
        *(instant(name).alias(f"{name}_timestamp") for name in ("event", "created")),
        "count",
        "name",
    )


def entity_frame(entity_rows: Sequence[Row], *, known_as_of: bool = False) -> pl.DataFrame:
    """The rows with keys `a` and `b`, and what they may know where asked for."""
    frame = pl.DataFrame(
        entity_rows, schema=dict.fromkeys(("a", "b", "at", "patience"), pl.Int64), orient="row"
    )
    known = [(instant("at") + pl.duration(minutes=pl.col("patience") * 30)).alias("known_as_of")]
    return frame.select(
        "a", "b", instant("at").alias("event_timestamp"), *(known if known_as_of else [])
    )


def instant(column: str) -> pl.Expr:
    """The half hours as an instant."""
    return pl.lit(T0, dtype=TIME) + pl.duration(minutes=pl.col(column) * 30)


def view_join(
    lake: Lake,
    name: str,
    key: str,
    history: Sequence[Step],
    *,
    ttl: timedelta | None = None,
    full_feature_names: bool = True,
    tags: dict[str, str] | None = None,
    with_statuses: bool = False,
) -> ViewJoin:
    """A view over `history`, written day by day of the row's becoming known."""
    table = step_frame(history, key)
    known = pl.max_horizontal("event_timestamp", "created_timestamp").dt.date()
    for (day,), part in table.group_by(known, maintain_order=True):
        lake.table(name).write_day(day, part)
    view = FeatureView(
        name=name,
        entities=[Entity(name=key, join_keys=[key], value_type=ValueType.INT64)],
        ttl=ttl or timedelta(0),
        schema=[Field(name="count", dtype=Int64), Field(name="name", dtype=String)],
        source=FileSource(
            path=name,
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
        ),
        tags=tags or {},
    )
    view.entity_columns = [Field(name=key, dtype=Int64)]
    return ViewJoin(ViewTable(view, lake), ("count", "name"), full_feature_names, with_statuses)
