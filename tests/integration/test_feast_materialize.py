"""Materialisation through Feast's own interface, from a lake written by hand to a real Redis."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from feast import FeatureStore
from feast.feature_view import FeatureViewState
from feast_project import (
    COUNT,
    HOUR,
    REFS,
    STEPS,
    T0,
    TICK,
    Step,
    apply_definitions,
    make_project,
    write_steps,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from materialized import horizon, online, watermark
from redis import Redis

from lockstep.contract.clock import FixedClock
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.errors import MaterializeError, SourceError, StoreUnavailableError
from lockstep.stores.ledger import changes_of, ledger_folder
from lockstep.stores.online import LockstepOnlineStore

pytestmark = pytest.mark.usefixtures("redis_environment")

HORIZON = T0 + 72 * HOUR


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
    fraud: FeatureStore, handwritten: Settings, redis_url: str, lake: list[Step], ends: list[int]
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    write_steps(handwritten, customers=lake)
    for end in ends:
        try:
            fraud.materialize(T0, T0 + end * HOUR, feature_views=["customer_windows"])
        except MaterializeError:
            assert all(max(step.at, step.created or 0) > end for step in lake)
    last = min(T0 + max(ends) * HOUR, HORIZON - TICK)
    frame = pl.DataFrame({"customer_id": [1, 2, 3], "event_timestamp": [last] * 3})
    job = fraud.get_historical_features(entity_df=frame, features=[REFS[0]])
    joined = job.to_arrow().column(COUNT).to_pylist()
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
    fraud: FeatureStore, handwritten: Settings
) -> None:
    write_steps(handwritten, customers=[Step(1, 1, 1), Step(1, 72, 2)])
    fraud.materialize_incremental(T0 + 900 * HOUR)
    assert online(fraud, [1])["values"] == [1]
    write_steps(handwritten, customers=[Step(1, 1, 1), Step(1, 72, 2)], horizon=HORIZON + HOUR)
    fraud.materialize_incremental(T0 + 900 * HOUR)
    assert online(fraud, [1])["values"] == [2]
    assert watermark(fraud) == HORIZON + HOUR - TICK
    fraud.materialize_incremental(T0 + 900 * HOUR)
    assert watermark(fraud) == HORIZON + HOUR - TICK


def test_a_late_correction_reaches_redis_by_an_incremental_run(
    fraud: FeatureStore, handwritten: Settings
) -> None:
    fraud.materialize_incremental(T0 + 900 * HOUR)
    later = [*STEPS, Step(1, 30, 21, 73)]
    write_steps(handwritten, customers=later, horizon=T0 + 80 * HOUR)
    fraud.materialize_incremental(T0 + 900 * HOUR)
    assert online(fraud, [1])["values"] == [21]


def test_nothing_to_write_is_an_error_that_changes_nothing(
    fraud: FeatureStore, handwritten: Settings
) -> None:
    write_steps(handwritten, customers=[Step(1, 30, 1)])
    with pytest.raises(MaterializeError, match="customer_windows has no rows .* nothing was wri"):
        fraud.materialize(T0, T0 + 20 * HOUR)
    assert watermark(fraud) is None
    assert horizon(fraud) is None
    assert watermark(fraud, "terminal_windows") == T0 + 20 * HOUR
    fraud.materialize(T0, T0 + 40 * HOUR)
    assert online(fraud, [1])["values"] == [1]


def test_a_table_that_was_not_built_is_an_error(tmp_path: Path) -> None:
    other = apply_definitions(make_project(tmp_path / "empty"), daily=False)
    with pytest.raises(SourceError, match="run `lockstep build`"):
        other.materialize(T0, T0 + HOUR)


def test_a_view_that_was_never_built_is_passed_over_where_others_were(
    fraud: FeatureStore, handwritten: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    table = Lake.at(handwritten.lake).table("fraud/terminal_windows")
    table.drop_days(table.days())
    (Path(handwritten.lake) / "fraud/terminal_windows").rename(Path(handwritten.lake) / "gone")
    fraud.materialize(T0, T0 + 40 * HOUR)
    assert online(fraud, [1])["values"] == [20]
    assert watermark(fraud) == T0 + 40 * HOUR
    assert watermark(fraud, "terminal_windows") is None
    assert "not materialised, since never built: terminal_windows" in caplog.messages
    assert fraud.get_feature_view("terminal_windows").state != FeatureViewState.MATERIALIZING


def test_a_table_that_was_materialised_and_is_gone_is_an_error(
    fraud: FeatureStore, handwritten: Settings
) -> None:
    fraud.materialize(T0, T0 + 40 * HOUR)
    (Path(handwritten.lake) / "fraud/terminal_windows").rename(Path(handwritten.lake) / "gone")
    with pytest.raises(SourceError, match="terminal_windows"):
        fraud.materialize(T0, T0 + 41 * HOUR)


def test_redis_that_is_down_leaves_the_watermark(
    handwritten: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    store = apply_definitions(handwritten, daily=False)
    with pytest.raises(StoreUnavailableError, match="lockstep redis start"):
        store.materialize(T0, T0 + HOUR)
    assert watermark(store) is None


def test_a_deleted_view_is_on_record_with_the_keys_it_had(
    fraud: FeatureStore, handwritten: Settings
) -> None:
    fraud.materialize(T0, T0 + 60 * HOUR, feature_views=["customer_windows"])
    lake = Lake.at(handwritten.lake)
    fraud.teardown()
    (change,) = changes_of(lake, "lockstep", "customer_windows")
    assert change.finished is not None
    assert change.kind == "view-deletion"
    assert change.rows == len({step.key for step in STEPS})
    assert change.started <= change.finished
    # What was never materialised has no record: it had nothing.
    assert lake.list(ledger_folder("lockstep", "terminal_windows")) == []


def test_a_deletion_that_broke_off_is_on_record_as_begun(
    fraud: FeatureStore, handwritten: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fraud.materialize(T0, T0 + 60 * HOUR, feature_views=["customer_windows"])
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    view = fraud.get_feature_view("customer_windows")
    with pytest.raises(StoreUnavailableError):
        LockstepOnlineStore().teardown(fraud.config, [view], [])
    (change,) = changes_of(Lake.at(handwritten.lake), "lockstep", "customer_windows")
    assert (change.kind, change.finished) == ("view-deletion", None)
