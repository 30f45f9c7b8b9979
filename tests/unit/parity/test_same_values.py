"""Equality to the bit, and the two ways of differing that have a name."""

from __future__ import annotations

import math
import struct

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.parity.same_values import differ_by_default, differ_by_type, differ_only, same_bits

floats = st.none() | st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, 0.1])
integers = st.none() | st.integers(-(2**63), 2**63 - 1)


def bits(value: float | None) -> bytes | None:
    return None if value is None or math.isnan(value) else struct.pack("<d", value)


@given(st.lists(st.tuples(floats, floats)))
def test_floats_are_the_same_where_their_bits_are(pairs: list[tuple[float | None, ...]]) -> None:
    one, other = (pl.Series([p[n] for p in pairs], dtype=pl.Float64) for n in (0, 1))
    assert same_bits(one, other).tolist() == [bits(a) == bits(b) for a, b in pairs]


@given(st.lists(st.tuples(integers, integers)))
def test_integers_are_never_taken_for_floats(pairs: list[tuple[int | None, ...]]) -> None:
    one, other = (pl.Series([p[n] for p in pairs], dtype=pl.Int64) for n in (0, 1))
    assert same_bits(one, other).tolist() == [a == b for a, b in pairs]


@given(st.lists(st.tuples(st.none() | st.integers(-(2**60), 2**60), floats)))
def test_of_two_types_only_equal_numbers_are_the_same(
    pairs: list[tuple[int | None, float | None]],
) -> None:
    one = pl.Series([a for a, _ in pairs], dtype=pl.Int64)
    other = pl.Series([b for _, b in pairs], dtype=pl.Float64)
    expected = [
        a == (None if b is None or math.isnan(b) else b)
        and not (b == 0 and math.copysign(1, b) < 0)
        for a, b in pairs
    ]
    # What a float cannot hold is no number that one side could have served.
    holds = [a is None or int(float(a)) == a for a, _ in pairs]
    expected = [e and h for e, h in zip(expected, holds, strict=True)]
    assert same_bits(one, other).tolist() == expected
    assert same_bits(other, one).tolist() == expected


@pytest.mark.parametrize(("one", "other"), [(True, "true"), ([1], 1), ("1", 1), (True, 1)], ids=str)
def test_values_of_unlike_types_differ(one: object, other: object) -> None:
    series = pl.Series([one, None]), pl.Series([other, None])
    assert same_bits(*series).tolist() == [False, True]
    assert same_bits(*reversed(series)).tolist() == [False, True]


def test_an_altered_large_integer_is_no_rounding() -> None:
    assert not differ_by_type(pl.Series([2**60 + 1]), pl.Series([2**60 + 3])).any()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (0.1, float(np.float32(0.1)), True),
        (2.7, 2.0, True),
        (2.7, 3.0, True),
        (-2.7, -2.0, True),
        (2.7, 4.0, False),
        (5.0, 6.0, False),
        (0.1, 0.1, False),
        (0.1, None, False),
        (1e300, 1.5, False),
    ],
)
def test_a_narrower_type(one: float, other: float | None, expected: bool) -> None:
    for a, b in ((one, other), (other, one)):
        found = differ_by_type(pl.Series([a], dtype=pl.Float64), pl.Series([b], dtype=pl.Float64))
        assert found.tolist() == [expected]


@given(st.lists(st.tuples(floats, floats)))
def test_what_is_the_same_differs_by_nothing(pairs: list[tuple[float | None, ...]]) -> None:
    one, other = (pl.Series([p[n] for p in pairs], dtype=pl.Float64) for n in (0, 1))
    same = same_bits(one, other)
    assert not (same & differ_by_type(one, other)).any()
    assert not (same & differ_by_default(one, other, [0.0, 0.1])).any()


def test_a_default_is_told_from_another_number() -> None:
    one, other = pl.Series([None, 0.0, None, 0.0]), pl.Series([0.0, None, 1.0, 0.0])
    assert differ_by_default(one, other, [0.0]).tolist() == [True, True, False, False]
    assert not differ_by_default(one, other, []).any()
    texts = pl.Series(["a", None, "b", "c"])
    assert not differ_by_default(texts, texts.reverse(), [0.0]).any()
    assert not differ_by_type(texts, texts.reverse()).any()


def test_one_column_that_differs_otherwise_speaks_against_the_whole_row() -> None:
    one = pl.DataFrame({"a": [2.7, 2.7, 2.7], "b": [1.0, 1.0, 1.0]})
    other = pl.DataFrame({"a": [3.0, 3.0, 2.7], "b": [1.0, 2.0, 1.0]})
    assert differ_only(one, other, differ_by_type).tolist() == [True, False, False]
