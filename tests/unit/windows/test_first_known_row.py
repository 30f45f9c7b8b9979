"""The first row that was known, among runs of rows that were not."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lockstep.windows.deletions import NEVER
from lockstep.windows.events import Deletions, Events
from lockstep.windows.first_known_row import first_known_row

# Few instants, so that long runs were created too late or deleted too early.
lives = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 2, NEVER])), min_size=1)


@given(lives, st.data())
def test_it_is_always_the_first_of_those_that_were_known(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    place = st.integers(0, len(rows))
    low, high = sorted((data.draw(place), data.draw(place)))
    as_of = data.draw(st.integers(0, 3))
    known = [i for i in range(low, high) if rows[i][0] <= as_of < rows[i][1]]
    found = first_known_row(_events(rows), *(np.array([v]) for v in (low, high, as_of)))
    assert found.tolist() == [known[0] if known else high]


def _events(rows: list[tuple[int, int]]) -> Events:
    zeros = np.zeros(len(rows), dtype=np.int64)
    created, retired = np.array(rows, dtype=np.int64).T
    return Events(
        keys=pl.DataFrame({"key": [1]}),
        entity=zeros,
        event=zeros,
        created=created,
        values={},
        deletions=Deletions(zeros + 1, retired),
        origin=0,
        span=1,
    )
