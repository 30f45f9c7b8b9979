"""What a materialisation from START to END really covers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MICROSECOND = timedelta(microseconds=1)


def as_aware(instant: datetime) -> datetime:
    """The instant in UTC; Feast may hand over a naive one, which is UTC."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Coverage:
    """The event times, both included, whose newest rows are written.

    `end` is what the registry may record, and Redis is exact for T < `horizon` after it.
    """

    start: datetime
    end: datetime

    @classmethod
    def of(
        cls, start: datetime, end: datetime, *, horizon: datetime | None, now: datetime
    ) -> Coverage:
        """START to END, but never up to the table's horizon: its rows may still change there.

        Nor in the future, which would hide the rows that arrive until then; a table without
        a horizon is taken to be complete up to `now`.
        """
        start, end = as_aware(start), as_aware(end)
        last = now if horizon is None else min(now, horizon - _MICROSECOND)
        end = min(end, last)
        return cls(min(start, end), end)

    @property
    def horizon(self) -> datetime:
        """The first T that is not covered."""
        return self.end + _MICROSECOND

    @property
    def is_empty(self) -> bool:
        """Whether START already reaches what can be covered: nothing new was asked for."""
        return self.start == self.end
