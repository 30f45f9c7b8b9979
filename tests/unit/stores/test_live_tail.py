"""The tail answers for T what the list of the newest steps would answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.live_tail import TailStep, decode_tail, encode_tail, known_at, merged

times = st.integers(-5, 9)
fields = st.dictionaries(st.binary(min_size=1, max_size=9), st.binary(max_size=300), max_size=3)
steps = st.builds(TailStep, times, times, fields)


@given(st.lists(st.lists(steps, max_size=4), max_size=6), st.integers(1, 5))
def test_merged_in_any_portions_the_newest_versions_stay(
    portions: list[list[TailStep]], keep: int
) -> None:
    tail: list[TailStep] = []
    for portion in portions:
        tail = merged(list(decode_tail(encode_tail(tail))), portion, keep=keep)
    last = {step.version: step.fields for portion in portions for step in portion}
    newest = sorted(last, reverse=True)[:keep]
    assert [(step.version, step.fields) for step in tail] == [(v, last[v]) for v in newest]


@given(st.lists(steps, max_size=9), times, st.integers(1, 9))
def test_a_read_is_right_or_says_that_the_tail_does_not_reach_back(
    every: list[TailStep], t_us: int, keep: int
) -> None:
    known = [s.version for s in every if s.event_us <= t_us and s.created_us <= t_us]
    step = known_at(merged([], every, keep=keep), t_us)
    if step is not None:
        assert step.version == max(known)
    elif known:
        assert len({s.version for s in every}) > keep
