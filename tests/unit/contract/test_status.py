"""The status algebra, case by case and its precedence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.status import FeatureStatus, status_at

S = FeatureStatus
maybe = st.none() | st.integers(0, 40)


def test_nothing_known_is_not_found() -> None:
    assert status_at(5, event_us=None, is_null=True) is S.NOT_FOUND


def test_a_newer_step_is_the_future() -> None:
    assert status_at(5, event_us=6, is_null=False) is S.FUTURE
    assert status_at(5, event_us=5, is_null=False) is S.PRESENT


def test_a_step_created_after_t_is_the_future_too() -> None:
    assert status_at(5, event_us=1, created_us=6, is_null=False) is S.FUTURE
    assert status_at(5, event_us=1, created_us=5, is_null=False) is S.PRESENT


def test_an_age_equal_to_the_ttl_is_valid() -> None:
    assert status_at(15, event_us=5, is_null=False, ttl_us=10) is S.PRESENT
    assert status_at(16, event_us=5, is_null=False, ttl_us=10) is S.EXPIRED
    assert status_at(10**9, event_us=5, is_null=False, ttl_us=0) is S.PRESENT


def test_a_scheduled_expiry_makes_a_value_stale() -> None:
    assert status_at(9, event_us=5, is_null=False, valid_until_us=10) is S.PRESENT
    assert status_at(10, event_us=5, is_null=False, valid_until_us=10) is S.STALE


def test_a_view_that_is_exact_beyond_t_is_never_stale() -> None:
    exact = status_at(10, event_us=5, is_null=False, valid_until_us=10, horizon_us=11, max_age_us=0)
    assert exact is S.PRESENT


def test_an_old_horizon_makes_a_value_stale() -> None:
    assert status_at(20, event_us=5, is_null=False, horizon_us=10, max_age_us=10) is S.PRESENT
    assert status_at(21, event_us=5, is_null=True, horizon_us=10, max_age_us=10) is S.STALE


@given(st.integers(0, 40), maybe, st.booleans(), maybe, maybe, maybe, maybe)
def test_the_precedence_always_holds(
    t: int,
    event: int | None,
    is_null: bool,
    ttl: int | None,
    until: int | None,
    horizon: int | None,
    age: int | None,
) -> None:
    got = status_at(
        t,
        event_us=event,
        is_null=is_null,
        ttl_us=ttl,
        valid_until_us=until,
        horizon_us=horizon,
        max_age_us=age,
    )
    if event is None:
        assert got is S.NOT_FOUND
    elif event > t:
        assert got is S.FUTURE
    elif ttl and t - event > ttl:
        assert got is S.EXPIRED
    else:
        assert got in (S.STALE, S.NULL if is_null else S.PRESENT)


def test_only_a_usable_value_is_kept() -> None:
    assert [status for status in S if status.keeps_value] == [S.STALE, S.PRESENT]
