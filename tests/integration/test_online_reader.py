"""The compiled read path against rows that the online store wrote, on a real Redis."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

import pytest
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Int64
from redis import Redis

from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.errors import EntityKeyError, StoreUnavailableError
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.online_read import ViewRead
from lockstep.stores.online_reader import OnlineReader
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
PLAN = ReadPlan.compile("p", [CARD, LIMIT, SHOP])


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


@pytest.fixture
def written(redis_url: str, tmp_path: Path) -> Written:
    return Written(redis_url, tmp_path)


def run(url: str, use: Callable[[OnlineReader], Awaitable[Answer]], **settings: Any) -> Answer:
    async def main() -> Answer:
        reader = OnlineReader(url, PLAN, **settings)
        try:
            return await use(reader)
        finally:
            await reader.close()

    return asyncio.run(main())


def test_a_batch_is_read_row_by_row_and_view_by_view(redis_url: str, written: Written) -> None:
    written.row(CARD, 1, n=7, valid_until_us=T0_US + 9)
    written.row(LIMIT, 1, limit=None)
    written.row(SHOP, 2, m=3)
    written.horizon(CARD, 60)
    rows = [{"card_id": 1, "shop_id": 9}, {"card_id": 9, "shop_id": 2}]
    first, second = run(redis_url, lambda reader: reader.read(rows))
    known = {"event_us": T0_US, "created_us": T0_US + 3}
    horizon = T0_US + 60_000_000
    assert first == {
        "card": ViewRead(
            ("n",), valid_until_us=T0_US + 9, horizon_us=horizon, values={"n": 7}, **known
        ),
        "limit": ViewRead(("limit",), values={"limit": None}, **known),
        "shop": ViewRead(("m",)),
    }
    assert second == {
        "card": ViewRead(("n",), horizon_us=horizon),
        "limit": ViewRead(("limit",)),
        "shop": ViewRead(("m",), values={"m": 3}, **known),
    }


def test_no_rows_are_no_answers(redis_url: str) -> None:
    assert run(redis_url, lambda reader: reader.read([])) == []


def test_a_bad_id_is_refused_before_redis_is_asked() -> None:
    with pytest.raises(EntityKeyError):
        run("redis://127.0.0.1:1/0", lambda reader: reader.read([{"card_id": "x"}]))


def test_horizons_are_asked_for_once_a_second_and_before_the_rows(
    redis_url: str, written: Written
) -> None:
    now = 0.0

    async def three_reads(reader: OnlineReader) -> list[int | None]:
        nonlocal now
        horizons = []
        for now in (0.0, 0.9, 1.0):
            written.horizon(CARD, int(now * 10))
            (read,) = await reader.read([{"card_id": 1, "shop_id": 1}])
            horizons.append(read["card"].horizon_us)
        return horizons

    with Redis.from_url(redis_url) as redis, redis.monitor() as monitor:
        horizons = run(redis_url, three_reads, monotonic=lambda: now)
        redis.echo("done")
        seen = list(takewhile(lambda c: c["command"] != "ECHO done", monitor.listen()))
    assert horizons == [T0_US, T0_US, T0_US + 10_000_000]
    # What the script that advances a horizon asks for is not the reader's doing.
    reads = [c["command"][0] for c in seen if c["client_type"] != "lua"]
    assert "".join(c for c in reads if c in "GH") == "GGGHH" + "HH" + "GGGHH"


def test_a_redis_that_is_down_is_named_and_found_again(tmp_path: Path) -> None:
    async def through_a_restart(reader: OnlineReader) -> None:
        rows = [{"card_id": 1, "shop_id": 1}]
        for _ in range(2):
            with embedded_redis(tmp_path / "data", port=port):
                (read,) = await reader.read(rows)
                assert read["card"].values == {"n": 7}
                await reader.ping()
            with pytest.raises(StoreUnavailableError, match="lockstep redis start"):
                await reader.read(rows)
            with pytest.raises(StoreUnavailableError):
                await reader.ping()

    with embedded_redis(tmp_path / "data") as url:
        Written(url, tmp_path).row(CARD, 1, n=7, valid_until_us=None)
        port = int(url.rsplit(":", 1)[1].split("/")[0])
    run(url, through_a_restart)


def test_a_redis_that_hangs_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with pytest.raises(StoreUnavailableError, match="(?i)timeout"):
            run(url, lambda r: r.read([{"card_id": 1, "shop_id": 1}]), timeout_seconds=0.1)


def test_a_redis_that_refuses_one_command_gives_no_partial_answer(
    redis_url: str, written: Written
) -> None:
    written.row(SHOP, 1, m=3)
    with Redis.from_url(redis_url) as redis:
        redis.set(PLAN.keys[0].key({"card_id": 1}), "not a hash")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        run(redis_url, lambda reader: reader.read([{"card_id": 1, "shop_id": 1}]))
