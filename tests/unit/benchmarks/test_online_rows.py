"""The sides of the online benchmarks do the same work: same rows read, same rows written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from redis import Redis

from benchmarks import materialize_1m, online_read


def test_both_sides_read_the_same_values() -> None:
    with online_read.sides(3) as sides:
        ours, theirs = sides.ours(), sides.peer().to_dict()
        sides.limit()
    for position, feature in enumerate(ours.features):
        expected = [np.nan if value is None else value for value in theirs[feature]]
        np.testing.assert_array_equal(ours.values[:, position], expected)
    assert len(ours.features) == 12


def test_both_sides_write_the_same_hashes(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materialize_1m, "ENTITIES", 4_100)
    content = []
    with Redis.from_url(redis_url) as redis:
        for side in (materialize_1m._ours, materialize_1m._limit):
            assert side(redis_url) > 0
            content.append(_hashes(redis))
            redis.flushall()
    assert content[0] == content[1]
    assert len(content[0]) == 4_100


def _hashes(redis: Redis) -> dict[Any, Any]:
    keys = [key for key in redis.scan_iter() if not key.startswith(b"lockstep:")]
    return {key: redis.hgetall(key) for key in keys}
