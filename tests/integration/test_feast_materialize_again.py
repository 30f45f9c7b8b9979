"""Materialisations one after another: what the next one reads, and what a broken one left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Int64
from feast_project import HOUR, T0
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from their_project import their_store

from benchmarks.faulty_way import Fault, faulty_way
from lockstep.lake.content_hash import content_hash
from lockstep.lake.lake import Lake
from lockstep.stores import engine as engine_module
from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.ledger import Beginning, LedgerRow, rows_of, unfinished
from lockstep.stores.newest_rows import Chosen, newest_rows
from lockstep.stores.view_table import ViewTable

pytestmark = pytest.mark.usefixtures("redis_environment")

SENSOR = Entity(name="sensor", join_keys=["sensor"], value_type=ValueType.INT64)
Reading = tuple[int, float, int]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """A repository with two views over folders of parquet, one of them of step functions."""
    return their_store(tmp_path, SENSOR, view("steps"), view("plain"))


def view(name: str) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[SENSOR],
        ttl=timedelta(0),
        schema=[Field(name="sensor", dtype=Int64), Field(name="n", dtype=Int64)],
        source=FileSource(
            path=name,
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        ),
        tags={"step_function": "true"} if name == "steps" else {},
    )


def write(store: FeatureStore, name: str, file: str, readings: Sequence[Reading]) -> None:
    """One file of a view's folder: sensor, hours after T0, value."""
    sensors, hours, values = zip(*readings, strict=True)
    at = [T0 + hour * HOUR for hour in hours]
    rows = pl.DataFrame({"sensor": sensors, "event_timestamp": at, "created": at, "n": values})
    folder = Path(store.config.repo_path) / name
    folder.mkdir(exist_ok=True)
    rows.write_parquet(folder / f"{file}.parquet")


def online(store: FeatureStore, name: str, sensors: Sequence[int]) -> list[int | None]:
    rows = [{"sensor": sensor} for sensor in sensors]
    return list(store.get_online_features([f"{name}:n"], rows).to_dict()["n"])


def ledger(store: FeatureStore, name: str) -> list[LedgerRow]:
    return rows_of(Lake.at(store.config.repo_path), "theirs", name)


def begun(store: FeatureStore, name: str) -> list[Beginning]:
    return unfinished(Lake.at(store.config.repo_path), "theirs", name)


def test_the_ledger_tells_what_became_visible(store: FeatureStore) -> None:
    write(store, "steps", "a", [(1, 1, 10), (2, 2, 20), (1, 3, 30)])
    store.materialize(T0, T0 + 2 * HOUR, feature_views=["steps"])
    (row,) = ledger(store, "steps")
    assert (row.read, row.written, row.older) == (2, 2, 0)
    assert row.started <= row.finished
    assert (row.asked_start, row.asked_end) == (T0, T0 + 2 * HOUR)
    assert row.covered_end == T0 + 2 * HOUR
    assert list(row.files) == ["steps/a.parquet"]
    # What was written can be read from the lake again, and known by its hash.
    table = ViewTable(store.get_feature_view("steps"), Lake.at(store.config.repo_path))
    (rows,) = newest_rows(table, chosen=Chosen(row.covered_end))
    assert row.content == content_hash(rows)
    assert row.content != content_hash(rows.with_columns(n=pl.col("n") + 1))
    assert begun(store, "steps") == []


@pytest.mark.parametrize("name", ["steps", "plain"])
def test_the_next_run_reads_what_is_new(store: FeatureStore, name: str) -> None:
    write(store, name, "a", [(sensor, 1, 1) for sensor in range(50)] + [(1, 5, 5)])
    store.materialize(T0, T0 + 2 * HOUR, feature_views=[name])
    write(store, name, "b", [(2, 3, 3)])
    store.materialize_incremental(T0 + 6 * HOUR, feature_views=[name])
    assert [row.read for row in ledger(store, name)] == [50, 2]
    assert online(store, name, [0, 1, 2]) == [1, 5, 3]
    store.materialize_incremental(T0 + 7 * HOUR, feature_views=[name])
    assert ledger(store, name)[-1].read == 0


@pytest.mark.parametrize("name", ["steps", "plain"])
def test_rows_that_arrive_late_are_not_missed(store: FeatureStore, name: str) -> None:
    """Behind the last END, in a file that was not there: Feast's own engine never sees them."""
    write(store, name, "a", [(1, 1, 10)])
    store.materialize(T0, T0 + 5 * HOUR, feature_views=[name])
    write(store, name, "late", [(1, 2, 20), (7, 0.5, 70)])
    store.materialize_incremental(T0 + 6 * HOUR, feature_views=[name])
    assert online(store, name, [1, 7]) == [20, 70]


def test_a_store_that_was_emptied_gets_everything_again(
    store: FeatureStore, redis_url: str
) -> None:
    write(store, "steps", "a", [(1, 1, 10), (2, 1, 20)])
    store.materialize(T0, T0 + 2 * HOUR, feature_views=["steps"])
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    store.materialize_incremental(T0 + 3 * HOUR, feature_views=["steps"])
    assert online(store, "steps", [1, 2]) == [10, 20]


def test_an_earlier_start_writes_again(store: FeatureStore, redis_url: str) -> None:
    write(store, "steps", "a", [(1, 1, 10), (2, 1, 20)])
    store.materialize(T0, T0 + 2 * HOUR, feature_views=["steps"])
    with Redis.from_url(redis_url) as redis:
        redis.delete(*redis.keys(b"*sensor*"))
    store.materialize_incremental(T0 + 3 * HOUR, feature_views=["steps"])
    assert online(store, "steps", [1, 2]) == [None, None]
    store.materialize(T0, T0 + 3 * HOUR, feature_views=["steps"])
    assert online(store, "steps", [1, 2]) == [10, 20]


def test_another_definition_reads_everything(store: FeatureStore) -> None:
    write(store, "steps", "a", [(1, 1, 10)])
    store.materialize(T0, T0 + 2 * HOUR, feature_views=["steps"])
    wider = view("steps")
    wider.source.created_timestamp_column = ""
    wider.batch_source.created_timestamp_column = ""
    store.apply([wider])
    store.materialize_incremental(T0 + 3 * HOUR, feature_views=["steps"])
    assert [row.read for row in ledger(store, "steps")] == [1, 1]


@pytest.mark.parametrize("after", [8_000, 30_000])
def test_a_run_that_broke_off_goes_on_where_it_was(
    store: FeatureStore, redis_url: str, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(engine_module, "_BATCH", 20)
    write(store, "steps", "a", [(sensor, 1, sensor) for sensor in range(400)])
    with faulty_way(redis_url, Fault(after=after)) as broken:
        monkeypatch.setenv("REDIS_URL", broken.url)
        with pytest.raises(StoreUnavailableError):
            store.materialize(T0, T0 + 2 * HOUR, feature_views=["steps"])
    assert ledger(store, "steps") == []
    (broken_off,) = begun(store, "steps")
    assert broken_off.covered_end == T0 + 2 * HOUR
    assert store.get_feature_view("steps").most_recent_end_time is None
    monkeypatch.setenv("REDIS_URL", redis_url)
    with Redis.from_url(redis_url) as redis:
        landed = len(redis.keys(b"*sensor*"))
    assert 0 < landed < 400
    store.materialize(T0, T0 + 2 * HOUR, feature_views=["steps"])
    (row,) = ledger(store, "steps")
    assert row.read == 400
    assert begun(store, "steps") == [broken_off]
    # Of the batch under way it is not known whether it landed: only that one is sent again.
    assert 400 - landed <= row.written <= 400 - landed + 20
    assert online(store, "steps", range(400)) == list(range(400))


readings = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 9), st.integers(0, 99)), min_size=1, max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.lists(st.tuples(readings, st.integers(0, 12)), min_size=1, max_size=4))
def test_runs_over_a_growing_table_leave_the_newest_of_every_key(
    store: FeatureStore, redis_url: str, runs: list[tuple[list[Reading], int]]
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    folder = Path(store.config.repo_path)
    for file in (folder / "steps").glob("*"):
        file.unlink()
    store.apply([view("steps")])
    known: list[Reading] = [(9, 0, 0)]
    write(store, "steps", "000", known)
    end = 0
    store.materialize(T0, T0, feature_views=["steps"])
    for number, (added, later) in enumerate(runs, start=1):
        write(store, "steps", f"{number:03d}", added)
        known, end = known + added, end + later
        store.materialize_incremental(T0 + end * HOUR, feature_views=["steps"])
    newest = {s: n for s, hour, n in sorted(known, key=lambda r: r[1]) if hour <= end}
    assert online(store, "steps", [1, 2, 3, 4]) == [newest.get(sensor) for sensor in (1, 2, 3, 4)]
