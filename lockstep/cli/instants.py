"""Instants as people type them: UTC, or an error that says how to write UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lockstep.cli.errors import UsageError


def utc_instant(text: str, option: str) -> datetime:
    """The instant `text` names; without a zone it is UTC.

    Raises:
        UsageError: `text` is not ISO 8601, or is in another zone than UTC.

    >>> utc_instant("2018-08-08", "--end")
    datetime.datetime(2018, 8, 8, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError.not_an_instant(option, text) from None
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    if instant.utcoffset() != timedelta(0):
        raise UsageError.other_zone(option, text)
    return instant.astimezone(UTC)
