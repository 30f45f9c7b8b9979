"""What a materialisation covers never reaches the horizon, nor the future."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.coverage import Coverage

TICK = timedelta(microseconds=1)
times = st.integers(0, 10**15).map(lambda us: datetime(2018, 1, 1, tzinfo=UTC) + us * TICK)


@given(times, times, times | st.none(), times)
def test_the_end_is_the_earliest_of_what_was_asked_and_what_is_there(
    start: datetime, end: datetime, horizon: datetime | None, now: datetime
) -> None:
    covered = Coverage.of(start, end, horizon=horizon, now=now)
    assert covered.start <= covered.end <= end
    last = now if horizon is None else min(now, horizon - TICK)
    assert covered.end == min(end, last)
    assert covered.horizon == covered.end + TICK


def test_a_start_past_the_end_covers_nothing_new() -> None:
    day = datetime(2018, 4, 1, tzinfo=UTC)
    covered = Coverage.of(day, day + timedelta(days=9), horizon=day, now=day + timedelta(days=9))
    assert covered.is_empty
    assert covered.start == covered.end == day - TICK
