"""What our online store promises beyond Feast's layout, on a real Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Int64, String
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.online import LockstepOnlineStore

T0 = datetime(2018, 4, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
Store = Callable[[str], "Project"]


def view(name: str, *features: str, keys: Sequence[str] = ("card",)) -> FeatureView:
    entities = [Entity(name=k, join_keys=[k], value_type=ValueType.STRING) for k in keys]
    columns = [*(Field(name=k, dtype=String) for k in keys)]
    return FeatureView(
        name=name,
        entities=entities,
        ttl=timedelta(0),
        schema=[*columns, *(Field(name=feature, dtype=Int64) for feature in features)],
        source=FileSource(path=name, timestamp_field="event_timestamp"),
    )


WINDOWS = view("windows", "n")
LIMITS = view("limits", "limit")


class Project:
    """The store as one Feast project sees it."""

    def __init__(self, name: str, url: str, folder: Path) -> None:
        self.store = LockstepOnlineStore()
        self.config = RepoConfig(
            project=name,
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={
                "type": "lockstep.stores.online.LockstepOnlineStore",
                "redis_url": url,
            },
            entity_key_serialization_version=3,
        )

    def write(
        self,
        table: FeatureView,
        card: str,
        *versions: tuple[int, int | None, int],
        feature: str | None = None,
    ) -> None:
        """Rows of (event, created, value), in microseconds after T0."""
        name = feature or table.features[0].name
        rows = [
            (
                entity(card, *table.join_keys),
                {name: Value(int64_val=value)},
                T0 + event * TICK,
                None if created is None else T0 + created * TICK,
            )
            for event, created, value in versions
        ]
        self.store.online_write_batch(self.config, table, rows, None)

    def read(self, table: FeatureView, card: str) -> tuple[datetime | None, object]:
        keys = [entity(card, *table.join_keys)]
        ((at, values),) = self.store.online_read(self.config, table, keys)
        return at, values and {name: value.int64_val for name, value in values.items()}


def entity(value: str, *keys: str) -> EntityKey:
    return EntityKey(join_keys=list(keys), entity_values=[Value(string_val=value)] * len(keys))


@pytest.fixture
def project(redis_url: str, tmp_path: Path) -> Store:
    return lambda name: Project(name, redis_url, tmp_path)


def test_what_was_never_written_is_not_found(project: Store) -> None:
    fraud = project("fraud")
    fraud.write(LIMITS, "a", (1, None, 5))
    assert fraud.read(WINDOWS, "a") == (None, None)
    assert fraud.read(WINDOWS, "b") == (None, None)


def test_a_feature_that_a_row_does_not_have_yet_is_left_out(project: Store) -> None:
    fraud = project("fraud")
    fraud.write(WINDOWS, "a", (1, None, 5))
    assert fraud.read(view("windows", "n", "added"), "a") == (T0 + TICK, {"n": 5})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 3)), max_size=6),
        max_size=4,
    )
)
def test_the_newest_event_then_created_wins_in_any_order_of_arrival(
    redis_url: str, project: Store, batches: list[list[tuple[int, int | None]]]
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    fraud = project("fraud")
    arrived = []
    for batch in batches:
        rows = [(e, c, len(arrived) + i) for i, (e, c) in enumerate(batch)]
        fraud.write(WINDOWS, "a", *rows)
        arrived += rows
    expected: tuple[datetime | None, object] = (None, None)
    if arrived:
        event, _, value = max(arrived, key=lambda r: (r[0], r[0] if r[1] is None else r[1], r[2]))
        expected = (T0 + event * TICK, {"n": value})
    assert fraud.read(WINDOWS, "a") == expected


def test_deleting_a_view_leaves_everything_else(project: Store, redis_url: str) -> None:
    fraud, antifraud = project("fraud"), project("antifraud")
    for some in (fraud, antifraud):
        some.write(WINDOWS, "a", (1, None, 1))
        some.write(LIMITS, "a", (1, None, 2))
        some.write(WINDOWS, "only", (1, None, 3))
        some.store.advance_horizon(some.config, WINDOWS, T0)
        some.store.advance_horizon(some.config, LIMITS, T0)
    fraud.store.update(fraud.config, [WINDOWS], [LIMITS], [], [], partial=False)
    assert fraud.read(WINDOWS, "a") == fraud.read(WINDOWS, "only") == (None, None)
    assert fraud.store.horizon(fraud.config, WINDOWS) is None
    assert fraud.read(LIMITS, "a") == (T0 + TICK, {"limit": 2})
    assert fraud.store.horizon(fraud.config, LIMITS) == T0
    assert antifraud.read(WINDOWS, "a") == (T0 + TICK, {"n": 1})
    assert antifraud.read(WINDOWS, "only") == (T0 + TICK, {"n": 3})
    assert antifraud.store.horizon(antifraud.config, WINDOWS) == T0
    with Redis.from_url(redis_url) as redis:
        assert len(redis.keys("*fraud")) == 3


def test_tearing_a_project_down_spares_the_one_whose_name_ends_alike(project: Store) -> None:
    fraud, antifraud = project("fraud"), project("antifraud")
    fraud.write(WINDOWS, "anti", (1, None, 1))
    antifraud.write(WINDOWS, "", (1, None, 2))
    fraud.store.teardown(fraud.config, [WINDOWS], [])
    assert fraud.read(WINDOWS, "anti") == (None, None)
    assert antifraud.read(WINDOWS, "") == (T0 + TICK, {"n": 2})


def test_a_deleted_view_takes_the_leftovers_of_its_older_definitions_along(
    project: Store, redis_url: str
) -> None:
    fraud = project("fraud")
    fraud.write(view("windows", "dropped_since"), "a", (1, None, 1))
    fraud.write(WINDOWS, "a", (2, None, 1))
    fraud.store.teardown(fraud.config, [WINDOWS], [])
    with Redis.from_url(redis_url) as redis:
        assert redis.keys() == []


@pytest.mark.parametrize("length", [42, 63, 91, 92])
def test_join_keys_whose_length_is_a_pattern_character_are_deleted(
    project: Store, length: int
) -> None:
    fraud, odd = project("fraud"), view("odd", "n", keys=["k" * length])
    other = view("other", "n", keys=["k" * 41])
    fraud.write(odd, "a", (1, None, 1))
    fraud.write(other, "a", (1, None, 2))
    fraud.store.teardown(fraud.config, [odd], [])
    assert fraud.read(odd, "a") == (None, None)
    assert fraud.read(other, "a") == (T0 + TICK, {"n": 2})


def test_a_horizon_never_moves_back(project: Store) -> None:
    fraud = project("fraud")
    assert fraud.store.horizon(fraud.config, WINDOWS) is None
    for day in (2, 5, 3):
        fraud.store.advance_horizon(fraud.config, WINDOWS, T0 + timedelta(days=day) + TICK)
    assert fraud.store.horizon(fraud.config, WINDOWS) == T0 + timedelta(days=5) + TICK


def test_a_horizon_beyond_the_tables_own_is_withdrawn(project: Store) -> None:
    fraud, table = project("fraud"), T0 + timedelta(days=3)
    fraud.store.advance_horizon(fraud.config, WINDOWS, T0 + timedelta(days=9))
    fraud.store.advance_horizon(fraud.config, WINDOWS, T0 + timedelta(days=2), limit=table)
    assert fraud.store.horizon(fraud.config, WINDOWS) == T0 + timedelta(days=2)
    fraud.store.advance_horizon(fraud.config, WINDOWS, T0 + timedelta(days=1), limit=table)
    assert fraud.store.horizon(fraud.config, WINDOWS) == T0 + timedelta(days=2)


def test_progress_counts_every_row(project: Store) -> None:
    fraud, seen = project("fraud"), []
    rows = [(entity(str(n), "card"), {"n": Value(int64_val=n)}, T0, None) for n in range(4500)]
    fraud.store.online_write_batch(fraud.config, WINDOWS, rows, seen.append)
    assert seen == [2000, 2000, 500]
    assert fraud.read(WINDOWS, "4499") == (T0, {"n": 4499})


def test_redis_that_is_down_says_so_without_the_password(tmp_path: Path) -> None:
    fraud = Project("fraud", "redis://me:secret@127.0.0.1:1/0", tmp_path)
    with pytest.raises(StoreUnavailableError, match=r"me:\*\*\*@127.0.0.1:1/0.*redis start"):
        fraud.read(WINDOWS, "a")
    with pytest.raises(StoreUnavailableError):
        fraud.write(WINDOWS, "a", (1, None, 1))
    with pytest.raises(StoreUnavailableError):
        fraud.store.teardown(fraud.config, [WINDOWS], [])
    fraud.store.update(fraud.config, [], [WINDOWS], [], [], partial=False)


def test_what_is_no_address_of_a_redis_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="is not the address of a Redis"):
        Project("fraud", "http://127.0.0.1", tmp_path).read(WINDOWS, "a")
