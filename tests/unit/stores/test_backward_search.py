"""Positions found by the tree of minima equal those found by looking at every value."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lockstep.stores.backward_search import last_at_most

small = st.integers(-4, 4)


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]]]:
    values = draw(st.lists(small, min_size=1, max_size=70))
    positions = st.integers(0, len(values) - 1)
    return values, draw(st.lists(st.tuples(positions, small), max_size=30))


@given(searches())
def test_equals_a_walk_over_every_value(search: tuple[list[int], list[tuple[int, int]]]) -> None:
    values, queries = search
    starts = np.array([start for start, _ in queries], dtype=np.int64)
    limits = np.array([limit for _, limit in queries], dtype=np.int64)
    found = last_at_most(np.array(values, dtype=np.int64), starts, limits)
    assert found.tolist() == [
        max((i for i in range(start + 1) if values[i] <= limit), default=-1)
        for start, limit in queries
    ]
