"""What Feast's own interface says of a row at T = now: ttl, staleness, nulls, absences."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from feast import FeatureStore
from feast.infra.provider import get_provider
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.Value_pb2 import Value
from online_project import CARD, T0, OnlineProject, entity, view
from redis import Redis

from lockstep.contract.clock import FixedClock
from lockstep.stores.online import LockstepOnlineStore

SECOND_US = 1_000_000
TTL = view("ttl", "n", ttl=timedelta(seconds=10))
STEPS = view("steps", "m", "valid_until_us", max_age_seconds="60")
Statuses = Callable[[FeatureStore, list[int]], dict[str, list[Any]]]


def at(seconds: float, url: str, folder: Path) -> OnlineProject:
    return OnlineProject(url, folder, now=T0 + timedelta(seconds=seconds))


def test_a_row_is_good_for_its_ttl_and_not_a_microsecond_longer(
    redis_url: str, tmp_path: Path
) -> None:
    at(0, redis_url, tmp_path).write(TTL, (1, 0, 0, 7), (2, SECOND_US, 0, None))
    wanted = {
        10: [(0, 7), (SECOND_US, None), None],
        10.000001: [(0, None), (SECOND_US, None), None],
    }
    for seconds, rows in wanted.items():
        assert at(seconds, redis_url, tmp_path).read(TTL, 1, 2, 3) == rows
    expired, null, absent = at(10.5, redis_url, tmp_path).store.online_read(
        *_asked(at(10.5, redis_url, tmp_path), 1, 2, 3)
    )
    assert (expired[1], absent) == (None, (None, None))
    assert null[1]["n"].WhichOneof("val") is None


def by_feast(store: FeatureStore, cards: list[int]) -> dict[str, list[Any]]:
    return _plain(store.get_online_features(**_request(cards)))


def by_feast_async(store: FeatureStore, cards: list[int]) -> dict[str, list[Any]]:
    """In an event loop of its own each time: Feast's own client belongs to the first."""

    async def ask() -> Any:
        try:
            return await store.get_online_features_async(**_request(cards))
        finally:
            await store._get_provider().online_store.close()

    return _plain(asyncio.run(ask()))


@pytest.mark.parametrize("ask", [by_feast, by_feast_async])
def test_feasts_answer_has_the_statuses(redis_url: str, tmp_path: Path, ask: Statuses) -> None:
    project = at(0, redis_url, tmp_path)
    project.write(TTL, (1, 0, 0, 7), (2, 60 * SECOND_US, 0, 8), (3, 90 * SECOND_US, 0, None))
    project.write(TTL, (4, 200 * SECOND_US, 0, 9))
    until = 90 * SECOND_US + int(T0.timestamp()) * SECOND_US
    project.write(STEPS, (1, 5, 5, until + 1), (2, 5, 5, until), (3, 5, 5, None))
    store = feast_store(redis_url, tmp_path, seconds=90)
    wanted = {
        "n": [None, None, None, None, None],
        "n:status": ["OUTSIDE_MAX_AGE", "OUTSIDE_MAX_AGE", "NULL_VALUE", "INVALID", "NOT_FOUND"],
        "m": [until + 1, until, None, None, None],
        "m:status": ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND", "NOT_FOUND"],
    }
    assert ask(store, [1, 2, 3, 4, 5]) == wanted
    # Asked twice for one card, in an order of their own: places are kept.
    assert ask(store, [2, 1, 2])["m"] == [until, until + 1, until]
    project.store.advance_horizon(project.config, STEPS, T0 + timedelta(seconds=29))
    assert ask(store, [1])["m:status"] == ["OUTSIDE_MAX_AGE"]
    project.store.advance_horizon(project.config, STEPS, T0 + timedelta(seconds=100))
    assert ask(store, [2])["m:status"] == ["PRESENT"]


def test_a_feature_added_since_is_not_found(redis_url: str, tmp_path: Path) -> None:
    project = at(0, redis_url, tmp_path)
    project.write(view("ttl", "other"), (1, 0, 0, 7))
    project.write(STEPS, (1, 5, 5, None))
    found = by_feast(feast_store(redis_url, tmp_path, seconds=5), [1])
    assert (found["n:status"], found["m:status"]) == (["NOT_FOUND"], ["NULL_VALUE"])


def test_several_views_are_one_round_trip(redis_url: str, tmp_path: Path) -> None:
    store = feast_store(redis_url, tmp_path, seconds=5)
    by_feast(store, [1])
    with Redis.from_url(redis_url) as redis:
        before = redis.info("commandstats")["cmdstat_hmget"]["calls"]
        connections = redis.info("stats")["total_connections_received"]
        by_feast(store, [1, 2, 3])
        assert redis.info("commandstats")["cmdstat_hmget"]["calls"] == before + 6
        assert redis.info("stats")["total_connections_received"] == connections


def test_event_loops_come_and_go(redis_url: str, tmp_path: Path) -> None:
    project = at(0, redis_url, tmp_path)
    asyncio.run(_push(project, 1))
    for _ in range(3):
        assert asyncio.run(project.read_async(TTL, 1)) == [(0, 7)]

    async def many() -> list[Any]:
        keys = _asked(project, 1)
        found = await asyncio.gather(*(project.store.online_read_async(*keys) for _ in range(50)))
        await project.store.close()
        return found

    assert len(asyncio.run(many())) == 50
    assert project.store.async_supported.read and project.store.async_supported.write


def feast_store(url: str, folder: Path, *, seconds: float) -> FeatureStore:
    """Feast's own front over our store, at a time of ours."""
    project = at(seconds, url, folder)
    store = FeatureStore(config=project.config)
    store.apply([CARD, TTL, STEPS])
    provider = get_provider(project.config)
    provider.online_store._clock = FixedClock(T0 + timedelta(seconds=seconds))
    assert isinstance(provider.online_store, LockstepOnlineStore)
    store._provider = provider
    return store


def _request(cards: list[int]) -> dict[str, Any]:
    return {
        "features": ["ttl:n", "steps:m"],
        "entity_rows": [{"card_id": card} for card in cards],
    }


def _plain(answer: Any) -> dict[str, list[Any]]:
    names, results = answer.proto.metadata.feature_names.val, answer.proto.results
    values = answer.to_dict()
    statuses = {
        f"{name}:status": [FieldStatus.Name(status) for status in vector.statuses]
        for name, vector in zip(names, results, strict=True)
    }
    wanted = ("n", "n:status", "m", "m:status")
    return {name: (values | statuses)[name] for name in wanted}


def _asked(project: OnlineProject, *cards: int) -> tuple[Any, ...]:
    return (project.config, TTL, [entity(card) for card in cards])


async def _push(project: OnlineProject, card: int) -> None:
    rows = [(entity(card), {"n": Value(int64_val=7)}, T0, None)]
    await project.store.online_write_batch_async(project.config, TTL, rows, None)
