"""Instants at the edges: UTC, written out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.contract.instant import InstantError, parse_instant
from lockstep.windows.microseconds import microseconds

_INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(_INSTANTS)
def test_what_isoformat_writes_is_read_back(instant: datetime) -> None:
    assert parse_instant(instant.isoformat()) == instant


@given(_INSTANTS)
def test_microseconds_are_exact(instant: datetime) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert epoch + timedelta(microseconds=microseconds(instant)) == instant


def test_z_is_utc() -> None:
    assert parse_instant("2018-08-01T00:00:00Z") == datetime(2018, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2018-08-01T00:00:00", "names no zone"),
        ("2018-08-01T00:00:00+03:00", r"is in zone \+03:00, expected UTC"),
        ("2018-08-01", "is not a time"),
        ("1533081600", "is not a time"),
        ("2018-02-30T00:00:00Z", "is not a time"),
        ("2018-08-01T00:00:00.1234567Z", "is not a time"),
        ("2018-08-01T00:00:00Z ", "is not a time"),
        ("", "is not a time"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(InstantError, match=message) as caught:
        parse_instant(text)
    assert "2018-08-01T12:30:00Z" in caught.value.next_step
