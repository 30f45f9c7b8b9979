"""One hash for what a frame holds: blind to how it is held, to nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.lake.content_hash import ContentHash, content_hash

ROWS = pl.DataFrame(
    {
        "key": ["a", "", "ä"],
        "at": pl.Series([datetime(2018, 4, day, tzinfo=UTC) for day in (1, 2, 3)]),
        "count": [1, 0, -1],
        "mean": [0.5, None, 0.0],
        "flag": [True, None, False],
        # Slices of these are with and without nulls, which take two ways.
        "seen": [7, None, 9],
        "until": pl.Series(
            [datetime(2018, 4, 1, tzinfo=UTC), None, datetime(2018, 4, 3, tzinfo=UTC)]
        ),
    }
)


@pytest.mark.parametrize(
    "other",
    [
        ROWS.rename({"count": "counts"}),
        ROWS.with_columns(pl.col("count").cast(pl.Int32)),
        ROWS.with_columns(pl.col("at").dt.replace_time_zone(None)),
        ROWS.with_columns(pl.col("mean").fill_null(0.0)),
        ROWS.with_columns(pl.col("flag").fill_null(False)),
        ROWS.with_columns(key=pl.Series(["", "a", "ä"])),
        ROWS.with_columns(mean=pl.Series([0.5, None, -0.0])),
        ROWS.select(reversed(ROWS.columns)),
        ROWS[::-1],
        ROWS[:2],
    ],
)
def test_any_difference_changes_it(other: pl.DataFrame) -> None:
    assert content_hash(other) != content_hash(ROWS)


def test_text_that_is_cut_elsewhere_changes_it() -> None:
    one, other = (pl.DataFrame({"key": keys}) for keys in (["ab", "c"], ["a", "bc"]))
    assert content_hash(one) != content_hash(other)


def test_what_lies_under_a_null_does_not_change_it() -> None:
    masked = pl.DataFrame({"n": [1, 7, 3]}).select(pl.when(pl.col("n") != 7).then("n"))
    assert content_hash(masked) == content_hash(pl.DataFrame({"n": [1, None, 3]}))


@given(st.lists(st.integers(0, 3), max_size=4), st.booleans())
def test_chunks_do_not_change_it(cuts: list[int], sliced: bool) -> None:
    bounds = [0, *sorted(cuts), 3]
    pieces = [ROWS[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    held = pl.concat(pieces, rechunk=False)
    assert content_hash(held[0:3] if sliced else held) == content_hash(ROWS)


@given(st.lists(st.integers(0, 3), max_size=4))
def test_frames_one_after_another_are_one_frame(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), 3]
    whole = ContentHash(ROWS.schema)
    for a, b in zip(bounds, bounds[1:], strict=False):
        whole.update(ROWS[a:b])
    assert whole.hexdigest() == content_hash(ROWS)


def test_nothing_has_a_hash_of_its_columns() -> None:
    assert content_hash(ROWS.clear()) != content_hash(ROWS.clear().select("key"))
