"""The circuit breaker, by a clock that moves when it is told to."""

from __future__ import annotations

from traceback import walk_tb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.errors import StoreUnavailableError
from serving.breaker import CircuitBreaker
from serving.errors import NotMaterializedError

PAUSE = 4.0


class Store:
    """A store behind a breaker, which fails when it is told to and counts what it was asked."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.asked = 0
        self.breaker = CircuitBreaker(
            failures=3, pause_seconds=PAUSE, monotonic=lambda: self.seconds
        )

    def ask(self, error: Exception | None = None) -> None:
        with self.breaker.guarded():
            self.asked += 1
            if error is not None:
                raise error

    def fail(self, times: int = 1) -> StoreUnavailableError:
        """The last error; it must come out as it is."""
        for number in range(times):
            error = StoreUnavailableError(f"failure {number}", next_step="start it")
            with pytest.raises(StoreUnavailableError) as raised:
                self.ask(error)
            assert raised.value is error
        return error

    def refuses(self) -> StoreUnavailableError | None:
        """The error of a question that never reached the store, or None where it was asked."""
        before = self.asked
        try:
            self.ask()
        except StoreUnavailableError as error:
            assert self.asked == before
            return error
        assert self.asked == before + 1
        return None


def test_two_failures_stop_nothing() -> None:
    store = Store()
    store.fail(2)
    assert not store.breaker.is_open
    assert store.refuses() is None


def test_after_three_in_a_row_nothing_is_asked_and_the_last_error_is_said_again() -> None:
    store = Store()
    last = store.fail(3)
    assert store.breaker.is_open
    assert [store.refuses() for _ in range(5)] == [last] * 5


def test_an_answer_in_between_begins_the_count_again() -> None:
    store = Store()
    for _ in range(4):
        store.fail(2)
        store.ask()
    assert not store.breaker.is_open


def test_the_pause_ends_when_it_is_over_and_not_before() -> None:
    store = Store()
    store.fail(3)
    store.seconds += PAUSE - 0.001
    assert store.refuses() is not None
    store.seconds += 0.001
    assert store.refuses() is None
    assert not store.breaker.is_open


def test_a_trial_that_fails_begins_the_pause_again() -> None:
    store = Store()
    store.fail(3)
    store.seconds += PAUSE
    last = store.fail()
    assert store.refuses() is last
    store.seconds += PAUSE
    assert store.refuses() is None


def test_after_a_trial_that_is_answered_it_takes_three_again() -> None:
    store = Store()
    store.fail(3)
    store.seconds += PAUSE
    store.ask()
    store.fail(2)
    assert not store.breaker.is_open
    store.fail()
    assert store.breaker.is_open


def test_an_error_that_is_not_the_stores_opens_nothing() -> None:
    store = Store()
    for _ in range(5):
        with pytest.raises(NotMaterializedError):
            store.ask(NotMaterializedError.views(["cards"]))
    assert not store.breaker.is_open


def test_an_error_that_is_said_again_and_again_does_not_grow() -> None:
    store = Store()
    store.fail(3)
    lengths = set()
    for _ in range(10):
        error = store.refuses()
        assert error is not None
        lengths.add(len(list(walk_tb(error.__traceback__))))
    assert len(lengths) == 1


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=40))
def test_it_refuses_exactly_in_the_pause_after_three_failures_in_a_row(
    steps: list[tuple[bool, float]],
) -> None:
    store, failed, opened_at = Store(), 0, float("-inf")
    for answers, seconds in steps:
        store.seconds += seconds
        if store.seconds < opened_at + PAUSE:
            assert store.refuses() is not None
        elif answers:
            store.ask()
            failed = 0
        else:
            store.fail()
            failed += 1
            opened_at = store.seconds if failed >= 3 else opened_at
