"""Materialisation through Feast's own interface, from a lake written by hand to a real Redis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from feast import (
    BatchFeatureView,
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    RepoConfig,
    ValueType,
)
from feast.types import Int64
from feast_project import HOUR, STEPS, T0, Step, make_project, write_steps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from feature_repo import feast_objects
from feature_repo.store import open_feature_store
from lockstep.contract.clock import FixedClock, SystemClock
from lockstep.settings import Settings
from lockstep.stores.engine import LockstepComputeEngine
from lockstep.stores.errors import MaterializeError, SourceError, StoreUnavailableError

COUNT = "customer_windows:customer_tx_count_1d"
TICK = timedelta(microseconds=1)
HORIZON = T0 + 72 * HOUR


@pytest.fixture
def project(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("LOCKSTEP_HOME", raising=False)
    monkeypatch.setenv("REDIS_URL", redis_url)
    settings = make_project(tmp_path)
    write_steps(settings, horizon=HORIZON)
    return settings


@pytest.fixture
def fraud(project: Settings) -> FeatureStore:
    return applied(project)


def applied(project: Settings) -> FeatureStore:
    """With the definitions of which the project has tables."""
    store = open_feature_store(project)
    names = [name for name in feast_objects.__all__ if "daily" not in name]
    store.apply([getattr(feast_objects, name) for name in names])
    return store


def online(store: FeatureStore, customers: Sequence[int], ref: str = COUNT) -> dict[str, Any]:
    rows = [{"customer_id": customer} for customer in customers]
    *_, feature = store.get_online_features([ref], rows).proto.results
    status = feature.DESCRIPTOR.fields_by_name["statuses"].enum_type.values_by_number
    return {
        "values": [v.int64_val if v.WhichOneof("val") else None for v in feature.values],
        "statuses": [status[s].name for s in feature.statuses],
    }


def horizon(store: FeatureStore, name: str = "customer_windows") -> datetime | None:
    held: datetime | None = store._get_provider().online_store.horizon(
        store.config, store.get_feature_view(name)
    )
    return held


def watermark(store: FeatureStore, name: str = "customer_windows") -> datetime | None:
    at: datetime | None = store.get_feature_view(name).most_recent_end_time
    return at


def test_absent_null_and_present_are_told_apart(fraud: FeatureStore) -> None:
    fraud.materialize(T0, T0 + 3 * HOUR)
    # To a plain client, values of 2018 are outside of the view's max age by now.
    assert online(fraud, [1])["statuses"] == ["OUTSIDE_MAX_AGE"]
    fraud._get_provider().online_store._clock = FixedClock(T0 + 4 * HOUR)
    assert online(fraud, [1, 2, 9]) == {
        "values": [10, None, None],
        "statuses": ["PRESENT", "NULL_VALUE", "NOT_FOUND"],
    }


def test_a_step_before_start_is_online_all_the_same(fraud: FeatureStore) -> None:
    fraud.materialize(T0 + 48 * HOUR, T0 + 60 * HOUR)
    assert online(fraud, [1, 2])["values"] == [20, 40]


def test_what_was_created_after_end_is_not_online(fraud: FeatureStore) -> None:
    fraud.materialize(T0, T0 + 50 * HOUR - TICK)
    assert online(fraud, [2])["values"] == [None]
    fraud.materialize(T0, T0 + 50 * HOUR)
    assert online(fraud, [2])["values"] == [40]


steps = st.builds(
    lambda key, at, delay, value: Step(key, at, value, at + delay),
    key=st.integers(1, 3),
    at=st.integers(0, 60),
    delay=st.sampled_from([0, 0, 1, 20]),
    value=st.integers(0, 99) | st.none(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    lake=st.lists(steps, min_size=1, max_size=12, unique_by=lambda s: (s.key, s.at, s.created)),
    ends=st.lists(st.integers(0, 80), min_size=1, max_size=3),
)
def test_online_is_the_join_at_the_end_of_the_widest_run(
    fraud: FeatureStore, project: Settings, redis_url: str, lake: list[Step], ends: list[int]
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    write_steps(project, customers=lake, horizon=HORIZON)
    for end in ends:
        try:
            fraud.materialize(T0, T0 + end * HOUR, feature_views=["customer_windows"])
        except MaterializeError:
            assert all(max(step.at, step.created or 0) > end for step in lake)
    last = min(T0 + max(ends) * HOUR, HORIZON - TICK)
    frame = pl.DataFrame({"customer_id": [1, 2, 3], "event_timestamp": [last] * 3})
    job = fraud.get_historical_features(entity_df=frame, features=[COUNT])
    joined = job.to_arrow().column("customer_tx_count_1d").to_pylist()
    assert online(fraud, [1, 2, 3])["values"] == joined


def test_the_end_is_clamped_below_the_horizon_of_the_table(fraud: FeatureStore) -> None:
    fraud.materialize(T0, T0 + 900 * HOUR)
    assert watermark(fraud) == HORIZON - TICK
    assert horizon(fraud) == HORIZON
    fraud.materialize(T0, T0 + 60 * HOUR)
    assert horizon(fraud) == HORIZON
    assert online(fraud, [1, 2])["values"] == [20, 40]


def test_an_end_before_the_horizon_is_what_is_covered(fraud: FeatureStore) -> None:
    fraud.materialize(T0, T0 + 60 * HOUR)
    assert watermark(fraud) == T0 + 60 * HOUR
    assert horizon(fraud) == T0 + 60 * HOUR + TICK


def test_steps_at_the_horizon_wait_for_the_next_build(
    fraud: FeatureStore, project: Settings
) -> None:
    write_steps(project, customers=[Step(1, 1, 1), Step(1, 72, 2)], horizon=HORIZON)
    fraud.materialize_incremental(T0 + 900 * HOUR)
    assert online(fraud, [1])["values"] == [1]
    write_steps(project, customers=[Step(1, 1, 1), Step(1, 72, 2)], horizon=HORIZON + HOUR)
    fraud.materialize_incremental(T0 + 900 * HOUR)
    assert online(fraud, [1])["values"] == [2]
    assert watermark(fraud) == HORIZON + HOUR - TICK
    fraud.materialize_incremental(T0 + 900 * HOUR)
    assert watermark(fraud) == HORIZON + HOUR - TICK


def test_a_late_correction_reaches_redis_by_an_incremental_run(
    fraud: FeatureStore, project: Settings
) -> None:
    fraud.materialize_incremental(T0 + 900 * HOUR)
    later = [*STEPS, Step(1, 30, 21, 73)]
    write_steps(project, customers=later, horizon=T0 + 80 * HOUR)
    fraud.materialize_incremental(T0 + 900 * HOUR)
    assert online(fraud, [1])["values"] == [21]


def test_nothing_to_write_is_an_error_that_changes_nothing(
    fraud: FeatureStore, project: Settings
) -> None:
    write_steps(project, customers=[Step(1, 30, 1)])
    with pytest.raises(MaterializeError, match="customer_windows has no rows .* nothing was wri"):
        fraud.materialize(T0, T0 + 20 * HOUR)
    assert watermark(fraud) is None
    assert horizon(fraud) is None
    assert watermark(fraud, "terminal_windows") == T0 + 20 * HOUR
    fraud.materialize(T0, T0 + 40 * HOUR)
    assert online(fraud, [1])["values"] == [1]


def test_a_table_that_was_not_built_is_an_error(fraud: FeatureStore, tmp_path: Path) -> None:
    other = applied(make_project(tmp_path / "empty"))
    with pytest.raises(SourceError, match="run `lockstep build`"):
        other.materialize(T0, T0 + HOUR)


def test_redis_that_is_down_leaves_the_watermark(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    store = applied(project)
    with pytest.raises(StoreUnavailableError, match="lockstep redis start"):
        store.materialize(T0, T0 + HOUR)
    assert watermark(store) is None


READING = Entity(name="sensor", join_keys=["customer_id"], value_type=ValueType.INT64)


def theirs(folder: Path, rows: Sequence[tuple[int, float, int]], **engine: Any) -> FeatureStore:
    """Somebody else's repository: plain parquet, no horizon, no step function."""
    keys, hours, values = zip(*rows, strict=True)
    at = [T0 + h * HOUR for h in hours]
    frame = pl.DataFrame({"customer_id": keys, "event_timestamp": at, "n": values})
    frame.write_parquet(folder / "readings.parquet")
    config = RepoConfig(
        project="theirs",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store={"type": "lockstep.stores.offline.LockstepOfflineStore"},
        online_store={"type": "lockstep.stores.online.LockstepOnlineStore"},
        batch_engine={"type": "lockstep.stores.engine.LockstepComputeEngine", **engine},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    view = FeatureView(
        name="readings",
        entities=[READING],
        ttl=timedelta(0),
        schema=[Field(name="customer_id", dtype=Int64), Field(name="n", dtype=Int64)],
        source=FileSource(path="readings.parquet", timestamp_field="event_timestamp"),
    )
    store.apply([READING, view])
    return store


@pytest.fixture
def folder(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REDIS_URL", redis_url)
    return tmp_path


def test_other_views_take_what_lies_between_start_and_end(folder: Path) -> None:
    store = theirs(folder, [(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)])
    store.materialize(T0 + 2 * HOUR, T0 + 3 * HOUR)
    assert online(store, [1, 2, 3, 4], "readings:n")["values"] == [None, 2, 3, None]
    assert horizon(store, "readings") == T0 + 3 * HOUR + TICK


def test_an_end_in_the_future_is_clamped_to_now(folder: Path) -> None:
    store = theirs(folder, [(1, 1, 1)])
    before = SystemClock().now()
    store.materialize(T0, SystemClock().now() + timedelta(days=900))
    recorded = watermark(store, "readings")
    assert recorded is not None
    assert before <= recorded <= SystemClock().now()


def test_now_is_the_clocks(folder: Path) -> None:
    store = theirs(folder, [(1, 1, 1), (2, 9, 2)])
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


def test_an_empty_range_is_an_error_unless_it_is_allowed(folder: Path) -> None:
    store = theirs(folder, [(1, 1, 1)])
    with pytest.raises(MaterializeError, match="allow_empty"):
        store.materialize(T0 + 2 * HOUR, T0 + 3 * HOUR)
    allowed = theirs(folder, [(1, 1, 1)], allow_empty=True)
    allowed.materialize(T0 + 2 * HOUR, T0 + 3 * HOUR)
    assert watermark(allowed, "readings") == T0 + 3 * HOUR


def test_options_that_are_not_known_are_refused(folder: Path) -> None:
    with pytest.raises(MaterializeError, match=r"(?s)batch_engine cannot be read .*allow_emtpy"):
        theirs(folder, [(1, 1, 1)], allow_emtpy=True)


def test_a_view_without_entities_has_one_row(folder: Path) -> None:
    store = theirs(folder, [(1, 1, 1), (1, 3, 3), (1, 2, 2)])
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


def test_a_view_that_is_computed_on_the_way_is_refused(folder: Path) -> None:
    store = theirs(folder, [(1, 1, 1)])
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
