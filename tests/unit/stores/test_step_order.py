"""Keys and times packed into one integer, where both are as wide as they can be."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.key_codes import key_codes
from lockstep.stores.step_order import StepOrder, Times

TIME = pl.Datetime("us", "UTC")
YEAR_ONE, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
wide_times = st.sampled_from([YEAR_ONE, -1, 0, 1, YEAR_9999 - 1, YEAR_9999])
steps = st.lists(st.tuples(st.integers(0, 2), wide_times), max_size=12)
queries = st.lists(st.tuples(st.integers(-1, 2), wide_times), max_size=12)


@given(steps, queries, st.sampled_from([1, 2**20]))
def test_the_newest_is_that_of_a_loop_over_all(
    history: list[tuple[int, int]], asked: list[tuple[int, int]], apart: int
) -> None:
    """Also with so many keys that their codes leave too few bits for microseconds."""
    codes = np.array([code * apart for code, _ in history], dtype=np.int64)
    events = [event for _, event in history]
    frame = pl.DataFrame({"event_timestamp": pl.Series(events, dtype=pl.Int64).cast(TIME)})
    order = StepOrder.of(frame, codes)
    wanted = np.array([code * apart for code, _ in asked], dtype=np.int64)
    wanted[[code < 0 for code, _ in asked]] = -1
    places = order.newest(wanted, np.array([t for _, t in asked], dtype=np.int64))
    for (code, t), place in zip(asked, places, strict=True):
        known = [(e, row) for row, (c, e) in enumerate(history) if c == code and e <= t]
        assert (order.rows[place] if place >= 0 else None) == max(known, default=(0, None))[1]


def test_wide_codes_make_times_numbers() -> None:
    events = np.array([YEAR_ONE, YEAR_9999])
    assert Times.of(events, np.array([1, 2])).distinct is None
    assert Times.of(events, np.array([0, 2**20])).distinct is not None


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt64, pl.Int64])
def test_integers_at_their_bounds_have_codes_of_their_own(kind: type[pl.DataType]) -> None:
    low, high = pl.select(low=kind.min(), high=kind.max()).row(0)  # type: ignore[attr-defined]
    steps = pl.DataFrame({"k": [low, high, None]}, {"k": kind})
    entities = pl.DataFrame({"k": [high, 5, low, None]}, {"k": kind})
    codes, wanted = key_codes(steps, entities, ["k"])
    assert codes[2] == wanted[3] == -1
    assert wanted[1] not in codes[:2]
    assert codes[0] == wanted[2] != codes[1] == wanted[0]
    assert min(codes[:2]) >= 0


@given(st.lists(st.tuples(st.sampled_from(["1", "12", "", None]), st.integers(1, 23))))
def test_keys_of_several_columns_never_collide(pairs: list[tuple[str | None, int]]) -> None:
    frame = pl.DataFrame(pairs, {"a": pl.String, "b": pl.Int64}, orient="row")
    codes, wanted = key_codes(frame, frame, ["a", "b"])
    assert (codes == wanted).all()
    coded = dict(zip(pairs, codes.tolist(), strict=True))
    assert all((code == -1) == (a is None) for (a, _), code in coded.items())
    known = [code for code in coded.values() if code >= 0]
    assert len(set(known)) == len(known)
