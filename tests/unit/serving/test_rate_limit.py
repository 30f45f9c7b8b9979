"""Rates: never more than a key may, and never longer waits than it must."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.api_keys import ApiKey, Scope, new_key
from serving.rate_limit import RateLimit

_RATES = st.floats(0.01, 1000.0)
_BURSTS = st.integers(1, 20)
_WORKERS = st.integers(1, 8)


def key_of(rate: float | None, burst: int = 1) -> ApiKey:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    scopes = frozenset({Scope.READ})
    return new_key("shop", scopes, now=now, requests_per_second=rate, burst=burst)[0]


class Ticks:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1e6

    def __call__(self) -> float:
        return self.seconds


def test_a_burst_goes_through_and_then_the_rate() -> None:
    ticks = Ticks()
    limit, key = RateLimit(ticks), key_of(2.0, burst=3)
    assert [limit.wait_seconds(key) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    ticks.seconds += 0.25
    assert limit.wait_seconds(key) == 0.25
    ticks.seconds += 0.25
    assert [limit.wait_seconds(key) for _ in range(2)] == [0.0, 0.5]


def test_no_rate_is_no_limit() -> None:
    limit, key = RateLimit(Ticks()), key_of(None)
    assert {limit.wait_seconds(key) for _ in range(1000)} == {0.0}


def test_keys_do_not_share_a_bucket() -> None:
    limit, one, other = RateLimit(Ticks()), key_of(1.0), key_of(1.0)
    assert limit.wait_seconds(one) == 0.0
    assert limit.wait_seconds(other) == 0.0
    assert limit.wait_seconds(one) == 1.0


@given(
    rate=_RATES,
    burst=_BURSTS,
    workers=_WORKERS,
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_no_stretch_of_time_ever_has_more_than_burst_and_rate(
    rate: float, burst: int, workers: int, gaps: list[float]
) -> None:
    ticks = Ticks()
    limit, key = RateLimit(ticks, workers=workers), key_of(rate, burst)
    allowed = []
    for gap in gaps:
        ticks.seconds += gap / rate
        if limit.wait_seconds(key) == 0.0:
            allowed.append(ticks.seconds)
    most = max(1.0, burst / workers)
    for first, start in enumerate(allowed):
        for last in range(first, len(allowed)):
            taken = (allowed[last] - start) * rate / workers
            assert last - first + 1 <= most + taken + 1e-3


@given(rate=_RATES, burst=_BURSTS, workers=_WORKERS)
def test_who_waits_as_told_is_let_through_and_who_waits_less_is_not(
    rate: float, burst: int, workers: int
) -> None:
    ticks = Ticks()
    limit, key = RateLimit(ticks, workers=workers), key_of(rate, burst)
    while not (wait := limit.wait_seconds(key)):
        pass
    assert wait <= workers / rate * (1 + 1e-9)
    ticks.seconds += wait * 0.9
    assert limit.wait_seconds(key) > 0.0
    ticks.seconds += wait * 0.1
    assert limit.wait_seconds(key) == 0.0


@given(rate=_RATES, burst=_BURSTS, workers=_WORKERS)
def test_workers_together_allow_what_one_would(rate: float, burst: int, workers: int) -> None:
    limits = [RateLimit(Ticks(), workers=workers) for _ in range(workers)]
    key, at_once = key_of(rate, burst), 0
    for limit in limits:
        while not limit.wait_seconds(key):
            at_once += 1
    assert at_once <= max(burst, workers)


def test_a_rate_that_was_changed_counts_at_once() -> None:
    ticks = Ticks()
    limit, key = RateLimit(ticks), key_of(1.0, burst=10)
    assert limit.wait_seconds(key) == 0.0
    less = replace(key, burst=1, requests_per_second=0.1)
    assert [limit.wait_seconds(less) for _ in range(2)] == [0.0, pytest.approx(10.0)]


@given(st.lists(st.integers(0, 9), max_size=60), st.sets(st.integers(0, 9)))
def test_only_the_keys_that_are_left_are_remembered(asked: list[int], left: set[int]) -> None:
    keys = [key_of(0.01) for _ in range(10)]
    limit = RateLimit(Ticks())
    for index in asked:
        limit.wait_seconds(keys[index])
    limit.keep_only({keys[index].id for index in left})
    assert set(limit._left) == {keys[index].id for index in left & set(asked)}
    for index in left & set(asked):
        assert limit.wait_seconds(keys[index]) > 0.0
