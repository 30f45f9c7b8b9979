"""Instants as whole microseconds, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SECOND_US = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    """Microseconds from 1970-01-01T00:00:00Z to an aware `instant`, exactly.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (instant - _EPOCH) // _MICROSECOND


def instant_at(us: int) -> datetime:
    """The instant that is `us` microseconds after 1970-01-01T00:00:00Z, exactly.

    >>> instant_at(1_000_005)
    datetime.datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=datetime.timezone.utc)
    """
    return _EPOCH + us * _MICROSECOND
