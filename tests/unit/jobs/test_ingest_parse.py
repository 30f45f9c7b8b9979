"""How single values become int64, in every type that a file may have them in."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.jobs.ingest.column import Column
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.parse import parse

CENTS = Column("amount", "decimal", scale=2)
INTEGER = Column("id", "integer")
INSTANT = Column("time", "timestamp")
ALL_CENTS = range(100_001)
MICROSECOND = datetime.resolution


def parsed(column: Column, values: list[Any], dtype: pl.DataType) -> list[tuple[Any, Any]]:
    """Value and problem of each raw value."""
    frame = pl.DataFrame({column.name: pl.Series(values, dtype=dtype)})
    expressions = parse(column, frame.schema[column.name])
    return frame.select(expressions.value, expressions.problem.alias("problem")).rows()


def values_of(column: Column, values: list[Any], dtype: pl.DataType) -> list[Any]:
    return [value for value, _ in parsed(column, values, dtype)]


def test_every_cent_up_to_a_thousand_survives_as_a_float() -> None:
    assert values_of(CENTS, [n / 100 for n in ALL_CENTS], pl.Float64()) == list(ALL_CENTS)


def test_every_cent_up_to_a_thousand_survives_as_text() -> None:
    assert values_of(CENTS, [f"{n / 100:.2f}" for n in ALL_CENTS], pl.String()) == list(ALL_CENTS)


def test_every_cent_times_five_survives_the_noise_of_floats() -> None:
    noisy = [n / 100 * 5 for n in ALL_CENTS]
    assert any(f"{value:.2f}" != str(value) for value in noisy)
    assert values_of(CENTS, noisy, pl.Float64()) == [5 * n for n in ALL_CENTS]
    assert values_of(CENTS, [str(value) for value in noisy], pl.String()) == [
        5 * n for n in ALL_CENTS
    ]


@given(st.integers(-(10**12), 10**12))
def test_cents_are_the_same_in_every_type(cents: int) -> None:
    exact = Decimal(cents) / 100
    assert values_of(CENTS, [str(exact)], pl.String()) == [cents]
    assert values_of(CENTS, [float(exact)], pl.Float64()) == [cents]
    assert values_of(CENTS, [exact], pl.Decimal(20, 4)) == [cents]
    assert values_of(CENTS, [cents], pl.Int64()) == [100 * cents]


@given(st.decimals(0, 10**6, places=5))
def test_what_is_not_whole_cents_is_never_rounded(amount: Decimal) -> None:
    expected = int(amount * 100) if amount * 100 == int(amount * 100) else None
    assert values_of(CENTS, [str(amount)], pl.String()) == [expected]
    assert values_of(CENTS, [float(amount)], pl.Float64()) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 500),
        ("5.", 500),
        (".5", 50),
        ("+7.1", 710),
        ("-0.05", -5),
        (" 70.910 ", 7091),
        ("7.101", "too_precise"),
        ("1e2", "not_a_number"),
        ("nan", "not_a_number"),
        ("1,0", "not_a_number"),
        ("-", "not_a_number"),
        (".", "not_a_number"),
        ("٣", "not_a_number"),
        ("9" * 20, "not_a_number"),
        ("", None),
    ],
)
def test_decimals_from_text(text: str, expected: int | str | None) -> None:
    assert parsed(CENTS, [text], pl.String()) == [_outcome(expected)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.005, "too_precise"),
        (float("nan"), "not_a_number"),
        (float("-inf"), "not_a_number"),
        (1e300, "too_large"),
        (-1e300, "too_small"),
        (-0.0, 0),
        (None, None),
    ],
)
def test_decimals_from_floats(value: float | None, expected: int | str | None) -> None:
    assert parsed(CENTS, [value], pl.Float64()) == [_outcome(expected)]


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_int64_survives(value: int) -> None:
    assert values_of(INTEGER, [value], pl.Int64()) == [value]
    assert values_of(INTEGER, [str(value)], pl.String()) == [value]


@pytest.mark.parametrize(
    "text", ["1.0", "x", "1e3", "0x1", "--1", "1 2", "9223372036854775808", "٣"]
)
def test_text_that_is_not_an_integer(text: str) -> None:
    assert parsed(INTEGER, [text], pl.String()) == [(None, "not_an_integer")]


def test_whole_floats_are_integers_and_others_are_not() -> None:
    raw = [1.0, 1.5, float("nan"), 2.0**60, None]
    bad = (None, "not_an_integer")
    assert parsed(INTEGER, raw, pl.Float64()) == [(1, None), bad, bad, bad, (None, None)]


def test_unsigned_integers_beyond_int64_are_a_problem() -> None:
    assert parsed(INTEGER, [2**64 - 1, 3], pl.UInt64()) == [(None, "not_an_integer"), (3, None)]


@given(st.datetimes().filter(lambda time: 1900 <= time.year < 2200))
def test_naive_times_are_utc_in_every_form(time: datetime) -> None:
    expected = [(time.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND]
    assert values_of(INSTANT, [time], pl.Datetime("us")) == expected
    assert values_of(INSTANT, [time], pl.Datetime("ns")) == expected
    assert values_of(INSTANT, [time.replace(tzinfo=UTC)], pl.Datetime("us", "UTC")) == expected
    assert values_of(INSTANT, [str(time)], pl.String()) == expected
    assert values_of(INSTANT, [time.isoformat() + "Z"], pl.String()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01 00:00:01", 1_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01 00:00:01 +0000", 1_000_000),
        ("1970-01-01 00:00:01.000001000", 1_000_001),
        ("1970-01-01 03:00:01+03:00", "other_zone"),
        ("1969-12-31 19:00:01-05", "other_zone"),
        ("1970-01-01 00:00:01.0000001", "not_a_timestamp"),
        ("1970-01-01 24:00:00", "not_a_timestamp"),
        ("1970-02-30 00:00:00", "not_a_timestamp"),
        ("1970-01-01 00:00:60", "not_a_timestamp"),
        ("1970-01-01", "not_a_timestamp"),
        ("yesterday", "not_a_timestamp"),
        ("", None),
    ],
)
def test_times_from_text(text: str, expected: int | str | None) -> None:
    assert parsed(INSTANT, [text], pl.String()) == [_outcome(expected)]


def test_nanoseconds_that_microseconds_cannot_hold_are_a_problem() -> None:
    frame = pl.DataFrame({"time": pl.Series([1, 2_000]).cast(pl.Datetime("ns", "UTC"))})
    expressions = parse(INSTANT, frame.schema["time"])
    assert frame.select(expressions.value).to_series().to_list() == [None, 2]
    assert frame.select(expressions.problem).to_series().to_list() == ["too_precise", None]


@pytest.mark.parametrize(
    ("column", "dtype", "expected"),
    [
        (CENTS, pl.Float32(), "float64"),
        (CENTS, pl.Boolean(), "float64"),
        (INTEGER, pl.Datetime("us"), "integers"),
        (INTEGER, pl.Float32(), "integers"),
        (INSTANT, pl.Int64(), "timestamps"),
        (INSTANT, pl.Date(), "timestamps"),
        (INTEGER, pl.List(pl.Int64()), "integers"),
    ],
)
def test_types_that_cannot_hold_the_values_are_refused(
    column: Column, dtype: pl.DataType, expected: str
) -> None:
    with pytest.raises(IngestError, match=f"{column.name}.*expected {expected}"):
        parse(column, dtype)


def test_a_column_in_another_zone_is_refused_with_the_way_out() -> None:
    with pytest.raises(IngestError, match=r"Europe/Moscow.*tz_convert\('UTC'\)"):
        parse(INSTANT, pl.Datetime("us", "Europe/Moscow"))


def _outcome(expected: int | str | None) -> tuple[int | None, str | None]:
    return (None, expected) if isinstance(expected, str) else (expected, None)
