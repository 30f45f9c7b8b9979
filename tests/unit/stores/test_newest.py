"""The newest row of a key is the one that the point-in-time join finds at the end of time."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lockstep.stores.asof import join_as_of
from lockstep.stores.newest import newest_per_key

TIME = pl.Datetime("us", "UTC")
SCHEMA = {"a": pl.Int64, "b": pl.Int64, "event_timestamp": TIME, "created_timestamp": TIME}
small = st.integers(0, 3)
rows = st.lists(st.tuples(small | st.none(), small, small, small | st.none()), max_size=40)


@pytest.mark.parametrize("keys", [["a", "b"], ["a"], []])
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
@given(rows=rows)
def test_newest_equals_the_join_after_everything(
    keys: list[str], engine: str, rows: list[tuple[int | None, ...]]
) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    numbered = frame.drop({"a", "b"} - set(keys)).with_row_index("number")
    query = newest_per_key(
        numbered.lazy(), keys, event="event_timestamp", created="created_timestamp"
    )
    newest = query.collect(engine=engine)  # type: ignore[call-overload]
    entities = frame.select(keys).unique().drop_nulls() if keys else pl.DataFrame({"at": [0]})
    entities = entities.with_columns(pl.lit(99).cast(TIME).alias("event_timestamp"))
    joined = join_as_of(entities, numbered, keys=keys).drop_nulls("number")
    assert_frame_equal(
        newest.select("number").sort("number"), joined.select("number").sort("number")
    )
