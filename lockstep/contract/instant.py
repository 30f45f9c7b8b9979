"""Instants as people write them at the edges: RFC 3339, UTC, nothing guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lockstep.errors import LockstepError

_PATTERN = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?P<zone>Z|[+-]\d{2}:\d{2})?", re.ASCII
)
_EXAMPLE = "2018-08-01T12:30:00Z"


class InstantError(LockstepError):
    """A text that does not name one instant in UTC."""

    @classmethod
    def not_a_time(cls, text: str) -> InstantError:
        return cls(f"{text[:40]!r} is not a time", next_step=f"write it as {_EXAMPLE}")

    @classmethod
    def no_zone(cls, text: str) -> InstantError:
        return cls(f"the time {text!r} names no zone", next_step=f"write it in UTC, as {_EXAMPLE}")

    @classmethod
    def other_zone(cls, text: str, zone: str) -> InstantError:
        return cls(
            f"the time {text!r} is in zone {zone}, expected UTC",
            next_step=f"convert it and write it as {_EXAMPLE}",
        )


def parse_instant(text: str) -> datetime:
    """The instant that `text` names; its zone must be written, and be UTC.

    Raises:
        InstantError: not an RFC 3339 time, finer than a microsecond, or not in UTC.

    >>> parse_instant("2018-08-01T12:30:00.5Z")
    datetime.datetime(2018, 8, 1, 12, 30, 0, 500000, tzinfo=datetime.timezone.utc)
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise InstantError.not_a_time(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InstantError.not_a_time(text) from None
    zone = match["zone"]
    # Already in UTC; the way of nearly all, and taken for each row of a batch.
    if zone == "Z":
        return instant
    if zone is None:
        raise InstantError.no_zone(text)
    if instant.utcoffset():
        raise InstantError.other_zone(text, zone)
    return instant.replace(tzinfo=UTC)
