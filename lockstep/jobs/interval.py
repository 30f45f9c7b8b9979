"""Intervals of time, half-open, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta


@dataclass(frozen=True)
class Interval:
    """The half-open interval [start, end), UTC; no start is from the first event on."""

    start: datetime | None
    end: datetime

    def touches(self, day: date) -> bool:
        """Whether any instant of the UTC day lies in it."""
        midnight = midnight_of(day)
        since = self.start is None or midnight + timedelta(days=1) > self.start
        return since and midnight < self.end


def midnight_of(day: date) -> datetime:
    """The instant at which the UTC day begins."""
    return datetime.combine(day, time(), tzinfo=UTC)
