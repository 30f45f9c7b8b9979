"""Live views on a real Redis: a read at T finds the step of T, as far as the tail reaches."""

from __future__ import annotations

import asyncio
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from online_project import T0_US, OnlineProject, view
from redis import Redis

from lockstep.contract.status import FeatureStatus
from lockstep.stores.online_read import statuses
from lockstep.stores.online_reader import BlockingReader, OnlineReader
from lockstep.stores.online_writes import WriteCount
from lockstep.stores.redis_layout import tail_field

LIVE = view("live", "n", live="3")
BEFORE = view("live", "n")

times = st.integers(0, 6)
versions = st.lists(st.lists(st.tuples(times, times), max_size=4, unique=True), max_size=5)


@pytest.fixture
def project(redis_url: str, tmp_path: Path) -> OnlineProject:
    return OnlineProject(redis_url, tmp_path)


def at(url: str, project: OnlineProject, t: int) -> tuple[Any, FeatureStatus]:
    """What a reader says of card 1 at T, by both of its ways."""
    reader = BlockingReader(url, project.plan(LIVE))
    rows, t_us = [{"card_id": 1}] * 12, [T0_US + t] * 12
    (first, *_) = reader.read(rows, t_us)
    vectors = reader.vectors(rows, t_us)
    reader.close()
    known = statuses(first.values(), T0_US + t)["n"]
    assert vectors.status(11, "n") == known.status
    assert known.value is None or vectors.values[11, 0] == known.value
    return known.value, known.status


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(versions, st.integers(-1, 7), st.sampled_from(["write", "push"]))
def test_a_read_at_t_is_what_the_list_of_steps_says(
    redis_url: str, project: OnlineProject, batches: list[list[tuple[int, int]]], t: int, way: str
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    steps: dict[tuple[int, int], int] = {}
    for batch in batches:
        for number, version in enumerate(batch, len(steps)):
            getattr(project, way)(LIVE, (1, *version, number))
            steps[version] = number
    newest = sorted(steps, reverse=True)[:3]
    known = [version for version in newest if max(version) <= t]
    if known:
        expected = (steps[max(known)], FeatureStatus.PRESENT)
    else:
        expected = (None, FeatureStatus.FUTURE if steps else FeatureStatus.NOT_FOUND)
    assert at(redis_url, project, t) == expected
    if newest:
        assert project.read(LIVE, 1) == [(newest[0][0], steps[newest[0]])]


def test_steps_older_than_the_tail_are_counted_as_older(project: OnlineProject) -> None:
    for event in (5, 6, 7):
        assert project.write(LIVE, (1, event, event, event)) == WriteCount(1, 0)
    assert project.write(LIVE, (1, 4, 4, 4)) == WriteCount(0, 1)
    assert project.write(LIVE, (1, 6, 9, 60), (2, 1, 1, 1)) == WriteCount(2, 0)
    assert project.read(LIVE, 1) == [(7, 7)]


def test_the_row_of_before_the_view_was_live_is_not_lost(
    redis_url: str, project: OnlineProject
) -> None:
    project.write(BEFORE, (1, 3, 3, 30))
    project.write(LIVE, (1, 5, 5, 50))
    assert at(redis_url, project, 4) == (30, FeatureStatus.PRESENT)
    assert at(redis_url, project, 5) == (50, FeatureStatus.PRESENT)


def test_a_read_without_t_is_the_newest(redis_url: str, project: OnlineProject) -> None:
    project.push(LIVE, (1, 3, 3, 30), (1, 9, 9, 90))

    async def read() -> Any:
        reader = OnlineReader(redis_url, project.plan(LIVE))
        try:
            rows = [{"card_id": 1}]
            return [*(await reader.read(rows)), *(await reader.read(rows, [T0_US + 4]))]
        finally:
            await reader.close()

    newest, earlier = asyncio.run(read())
    assert (newest["live"].values, earlier["live"].values) == ({"n": 90}, {"n": 30})


def test_writers_at_once_lose_no_step(redis_url: str, project: OnlineProject) -> None:
    every = [(event, event) for event in range(24)]
    wide = view("live", "n", live="24")

    def write(part: int) -> None:
        own = every[part::4]
        for event, created in random.Random(part).sample(own, len(own)):
            project.write(wide, (1, event, created, event))

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [at(redis_url, project, t)[0] for t in range(24)] == list(range(24))


def test_a_deleted_live_view_leaves_no_tail(redis_url: str, project: OnlineProject) -> None:
    project.write(LIVE, (1, 3, 3, 30))
    project.write(view("other", "m"), (1, 3, 3, 30))
    project.store.teardown(project.config, [LIVE], [])
    with Redis.from_url(redis_url) as redis:
        (key,) = (key for key in redis.scan_iter() if not key.startswith(b"lockstep:"))
        assert not redis.hexists(key, tail_field("live"))
