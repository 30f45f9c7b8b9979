"""Statuses of a training frame, value by value against the one definition of them."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.status import status_at
from lockstep.stores.asof import see_as_of
from lockstep.stores.join_status import STATUS_TYPE, StatusRule
from lockstep.windows.microseconds import instant_at

TIME = pl.Datetime("us", "UTC")
small = st.integers(0, 12)
maybe = small | st.none()


@given(
    st.lists(st.tuples(small, st.integers(0, 1) | st.none(), maybe), max_size=6),
    st.lists(small, min_size=1, max_size=5),
    st.sampled_from([None, 2]),
    maybe,
    st.sampled_from([None, 3]),
    st.booleans(),
)
def test_every_status_is_that_of_the_algebra(
    history: list[tuple[int, int | None, int | None]],
    asked: list[int],
    ttl: int | None,
    horizon: int | None,
    max_age: int | None,
    has_valid_until: bool,
) -> None:
    history = sorted({event: (event, x, valid) for event, x, valid in history}.values())
    steps = pl.DataFrame(
        history, {"event_timestamp": TIME, "x": pl.Int64, "valid_until_us": pl.Int64}, orient="row"
    )
    entities = pl.DataFrame({"event_timestamp": pl.Series(asked).cast(TIME)})
    age = timedelta(microseconds=ttl) if ttl else None
    seen = see_as_of(entities, steps, keys=[], ttl=age)
    values = seen.of(steps.select("x", *(["valid_until_us"] if has_valid_until else [])))
    rule = StatusRule(None if horizon is None else instant_at(horizon), max_age)
    found = rule.statuses(values, {"x": "v__x"}, seen=seen, entities=entities)
    assert found.schema == {"v__x": STATUS_TYPE}

    for t, status in zip(asked, found["v__x"], strict=True):
        event, x, valid = next((s for s in reversed(history) if s[0] <= t), (None, None, None))
        assert status == status_at(
            t,
            event_us=event,
            is_null=x is None,
            ttl_us=ttl,
            valid_until_us=valid if has_valid_until else None,
            horizon_us=horizon,
            max_age_us=max_age,
        )
