"""The clock as a parameter, so that any year can be served, audited and replayed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; UTC, microseconds."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's time. The only place that reads it for a decision."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands still, for replays and tests."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant
