"""Rows that the online store wrote, and each kind of reader over them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Int64

from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.online_reader import BlockingReader, OnlineReader
from lockstep.stores.plan_compiler import read_plan
from lockstep.stores.read_plan import ReadPlan

T0 = datetime(2018, 4, 1, tzinfo=UTC)
T0_US = 1_522_540_800_000_000
Answer = TypeVar("Answer")


def view(name: str, key: str, *features: str) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[Entity(name=key, join_keys=[key], value_type=ValueType.INT64)],
        ttl=timedelta(0),
        schema=[Field(name=n, dtype=Int64) for n in (key, *features)],
        source=FileSource(path=name, timestamp_field="event_timestamp"),
    )


CARD = view("card", "card_id", "n", "valid_until_us")
LIMIT = view("limit", "card_id", "limit")
SHOP = view("shop", "shop_id", "m")
PLAN = read_plan("p", [CARD, LIMIT, SHOP])


class Written:
    """Rows put into Redis by the online store."""

    def __init__(self, url: str, folder: Path) -> None:
        self.store = LockstepOnlineStore()
        self.config = RepoConfig(
            project="p",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={
                "type": "lockstep.stores.online.LockstepOnlineStore",
                "redis_url": url,
            },
            entity_key_serialization_version=3,
        )

    def row(self, table: FeatureView, entity_id: int, **values: int | None) -> None:
        key = EntityKey(join_keys=table.join_keys, entity_values=[Value(int64_val=entity_id)])
        messages = {
            name: Value() if value is None else Value(int64_val=value)
            for name, value in values.items()
        }
        rows = [(key, messages, T0, T0 + timedelta(microseconds=3))]
        self.store.online_write_batch(self.config, table, rows, None)

    def horizon(self, table: FeatureView, seconds: int) -> None:
        self.store.advance_horizon(self.config, table, T0 + timedelta(seconds=seconds))


class Awaited:
    """The reader for threads, called as the one for asyncio is."""

    def __init__(self, url: str, plan: ReadPlan, **settings: Any) -> None:
        self._reader = BlockingReader(url, plan, **settings)

    async def read(self, rows: Any) -> Any:
        return self._reader.read(rows)

    async def vectors(self, rows: Any, t_us: Any) -> Any:
        return self._reader.vectors(rows, t_us)

    async def ping(self) -> None:
        self._reader.read([{"card_id": 1, "shop_id": 1}])

    async def close(self) -> None:
        self._reader.close()


class OnUvloop(OnlineReader):
    """On the event loop that uvicorn serves on."""

    run = staticmethod(uvloop.run)


KINDS = pytest.mark.parametrize("kind", [OnlineReader, OnUvloop, Awaited])


def run(
    url: str,
    use: Callable[[Any], Awaitable[Answer]],
    *,
    kind: type[Any] = OnlineReader,
    **settings: Any,
) -> Answer:
    async def main() -> Answer:
        reader = kind(url, PLAN, **settings)
        try:
            return await use(reader)
        finally:
            await reader.close()

    return getattr(kind, "run", asyncio.run)(main())  # type: ignore[no-any-return]
