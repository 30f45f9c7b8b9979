"""Materialisation of somebody else's repository: plain parquet, no horizon, no step function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from feast import BatchFeatureView, Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Int64
from feast_project import HOUR, T0, TICK
from materialized import horizon, online, watermark
from their_project import their_store

from lockstep.contract.clock import FixedClock, SystemClock
from lockstep.stores.engine import LockstepComputeEngine
from lockstep.stores.errors import MaterializeError

pytestmark = pytest.mark.usefixtures("redis_environment")

READING = Entity(name="sensor", join_keys=["customer_id"], value_type=ValueType.INT64)


def theirs(folder: Path, rows: Sequence[tuple[int, float, int]], **engine: object) -> FeatureStore:
    """Somebody else's repository: plain parquet, no horizon, no step function."""
    keys, hours, values = zip(*rows, strict=True)
    at = [T0 + h * HOUR for h in hours]
    frame = pl.DataFrame({"customer_id": keys, "event_timestamp": at, "n": values})
    frame.write_parquet(folder / "readings.parquet")
    view = FeatureView(
        name="readings",
        entities=[READING],
        ttl=timedelta(0),
        schema=[Field(name="customer_id", dtype=Int64), Field(name="n", dtype=Int64)],
        source=FileSource(path="readings.parquet", timestamp_field="event_timestamp"),
    )
    return their_store(folder, READING, view, engine=engine)


def test_other_views_take_what_lies_between_start_and_end(tmp_path: Path) -> None:
    store = theirs(tmp_path, [(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)])
    store.materialize(T0 + 2 * HOUR, T0 + 3 * HOUR)
    assert online(store, [1, 2, 3, 4], "readings:n")["values"] == [None, 2, 3, None]
    assert horizon(store, "readings") == T0 + 3 * HOUR + TICK


def test_an_end_in_the_future_is_clamped_to_now(tmp_path: Path) -> None:
    store = theirs(tmp_path, [(1, 1, 1)])
    before = SystemClock().now()
    store.materialize(T0, SystemClock().now() + timedelta(days=900))
    recorded = watermark(store, "readings")
    assert recorded is not None
    assert before <= recorded <= SystemClock().now()


def test_now_is_the_clocks(tmp_path: Path) -> None:
    store = theirs(tmp_path, [(1, 1, 1), (2, 9, 2)])
    provider = store._get_provider()
    provider._batch_engine = LockstepComputeEngine(
        repo_config=store.config,
        offline_store=provider.offline_store,
        online_store=provider.online_store,
        clock=FixedClock(T0 + 5 * HOUR),
    )
    store.materialize(T0, T0 + 99 * HOUR)
    assert online(store, [1, 2], "readings:n")["values"] == [1, None]
    assert watermark(store, "readings") == T0 + 5 * HOUR


def test_an_empty_range_is_an_error_unless_it_is_allowed(tmp_path: Path) -> None:
    store = theirs(tmp_path, [(1, 1, 1)])
    with pytest.raises(MaterializeError, match="allow_empty"):
        store.materialize(T0 + 2 * HOUR, T0 + 3 * HOUR)
    allowed = theirs(tmp_path, [(1, 1, 1)], allow_empty=True)
    allowed.materialize(T0 + 2 * HOUR, T0 + 3 * HOUR)
    assert watermark(allowed, "readings") == T0 + 3 * HOUR


def test_options_that_are_not_known_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterializeError, match=r"(?s)batch_engine cannot be read .*allow_emtpy"):
        theirs(tmp_path, [(1, 1, 1)], allow_emtpy=True)


def test_a_view_without_entities_has_one_row(tmp_path: Path) -> None:
    store = theirs(tmp_path, [(1, 1, 1), (1, 3, 3), (1, 2, 2)])
    view = FeatureView(
        name="newest",
        entities=[],
        ttl=timedelta(0),
        schema=[Field(name="n", dtype=Int64)],
        source=FileSource(name="x", path="readings.parquet", timestamp_field="event_timestamp"),
    )
    store.apply([view])
    store.materialize(T0, T0 + 9 * HOUR, feature_views=["newest"])
    assert online(store, [7], "newest:n") == {"values": [3], "statuses": ["PRESENT"]}
    frame = pl.DataFrame({"event_timestamp": [T0 + 2 * HOUR]})
    job = store.get_historical_features(entity_df=frame, features=["newest:n"])
    assert job.to_arrow().column("n").to_pylist() == [2]


def doubled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(n=rows["n"] * 2)


def test_a_view_that_is_computed_on_the_way_is_refused(tmp_path: Path) -> None:
    store = theirs(tmp_path, [(1, 1, 1)])
    view = BatchFeatureView(
        name="doubled",
        mode="pandas",
        online=True,
        udf=doubled,
        entities=[READING],
        schema=[Field(name="customer_id", dtype=Int64), Field(name="n", dtype=Int64)],
        source=FileSource(name="y", path="readings.parquet", timestamp_field="event_timestamp"),
    )
    store.apply([view])
    with pytest.raises(MaterializeError, match="doubled has a transformation"):
        store.materialize(T0, T0 + 9 * HOUR, feature_views=["doubled"])
