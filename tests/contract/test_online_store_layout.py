"""An unmodified Feast client reads what we wrote, and we read what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Int64List, Value
from feast.types import Array, Bool, Bytes, Float32, Float64, Int32, Int64, String, UnixTimestamp
from redis import Redis

from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.redis_layout import writes_key

AT = datetime(2018, 4, 1, 12, 0, 0, 1, tzinfo=UTC)
VALUES = {
    "bool": Value(bool_val=False),
    "int32": Value(int32_val=-1),
    "int64": Value(int64_val=2**62 + 1),
    "float32": Value(float_val=0.1),
    "float64": Value(double_val=0.1),
    "string": Value(string_val="é"),
    "bytes": Value(bytes_val=b"\x00\xff"),
    "time": Value(unix_timestamp_val=1_522_584_000),
    "list": Value(int64_list_val=Int64List(val=[1, 2])),
    "null": Value(),
}
TYPES = [Bool, Int32, Int64, Float32, Float64, String, Bytes, UnixTimestamp, Array(Int64), Int64]
VIEW = FeatureView(
    name="pairs",
    entities=[
        Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING),
        Entity(name="card", join_keys=["card"], value_type=ValueType.INT64),
    ],
    ttl=timedelta(0),
    schema=[
        Field(name="shop", dtype=String),
        Field(name="card", dtype=Int64),
        *(Field(name=name, dtype=dtype) for name, dtype in zip(VALUES, TYPES, strict=True)),
    ],
    source=FileSource(path="pairs", timestamp_field="event_timestamp"),
)


@dataclass(frozen=True)
class Client:
    """An online store with the configuration that makes it talk to one Redis."""

    store: OnlineStore
    config: RepoConfig

    def write(self, *rows: tuple[Any, ...]) -> None:
        self.store.online_write_batch(self.config, VIEW, list(rows), None)

    def read(self, *keys: EntityKey) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        return list(self.store.online_read(self.config, VIEW, list(keys)))


def client(name: str, url: str, folder: Path) -> Client:
    address = urlsplit(url)
    online: dict[str, Any] = {"type": "redis", "connection_string": address.netloc}
    store: OnlineStore = RedisOnlineStore()
    if name == "lockstep":
        online = {"type": "lockstep.stores.online.LockstepOnlineStore", "redis_url": url}
        store = LockstepOnlineStore()
    config = RepoConfig(
        project="contract",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=online,
        entity_key_serialization_version=3,
    )
    return Client(store, config)


@pytest.fixture(params=["feast", "lockstep"])
def writer(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Client:
    return client(request.param, redis_url, tmp_path)


@pytest.fixture(params=["feast", "lockstep"])
def reader(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Client:
    return client(request.param, redis_url, tmp_path)


def key(shop: str, card: int) -> EntityKey:
    values = [Value(string_val=shop), Value(int64_val=card)]
    return EntityKey(join_keys=["shop", "card"], entity_values=values)


def test_what_one_wrote_the_other_reads(writer: Client, reader: Client) -> None:
    writer.write((key("1", 23), VALUES, AT, None))
    assert reader.read(key("1", 23)) == [(AT, VALUES)]


def test_keys_that_look_alike_are_apart(writer: Client, reader: Client) -> None:
    rows = [(key("1", 23), 1), (key("12", 3), 2), (key("", 123), 3)]
    writer.write(*((k, {**VALUES, "int64": Value(int64_val=n)}, AT, None) for k, n in rows))
    answers = reader.read(*(k for k, _ in rows))
    assert [values and values["int64"].int64_val for _, values in answers] == [1, 2, 3]


def test_a_newer_row_replaces_an_older_one_and_not_the_reverse(
    writer: Client, reader: Client
) -> None:
    for seconds in (5, 9, 7):
        values = {**VALUES, "int64": Value(int64_val=seconds)}
        writer.write((key("1", 2), values, AT + timedelta(seconds=seconds), None))
    ((at, values_read),) = reader.read(key("1", 2))
    assert at == AT + timedelta(seconds=9)
    assert values_read and values_read["int64"].int64_val == 9


def test_both_write_the_same_bytes_but_for_our_created_time(redis_url: str, tmp_path: Path) -> None:
    content = []
    with Redis.from_url(redis_url) as redis:
        for name in ("feast", "lockstep"):
            client(name, redis_url, tmp_path).write((key("1", 23), VALUES, AT, None))
            redis.delete(writes_key("contract", "pairs"))
            (redis_key,) = redis.keys()
            content.append((redis_key, redis.hgetall(redis_key)))
            redis.flushall()
    (feast_key, feast_hash), (our_key, our_hash) = content
    assert our_key == feast_key
    assert our_hash.pop(b"_created:pairs") == feast_hash[b"_ts:pairs"]
    assert our_hash == feast_hash
