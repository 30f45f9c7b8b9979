"""What can go wrong in a job over the lake."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from lockstep.errors import LockstepError


class BuildError(LockstepError):
    """A build that cannot give a table."""

    @classmethod
    def future_end(cls, end: datetime, now: datetime) -> BuildError:
        return cls(
            f"--end {end:%Y-%m-%d %H:%M} is in the future (it is {now:%Y-%m-%d %H:%M} UTC)",
            next_step="leave it out: a table is built up to what is known",
        )

    @classmethod
    def no_events(cls, source: str, end: datetime, days: Sequence[date]) -> BuildError:
        return cls(
            f"{source} has no events before {end:%Y-%m-%d %H:%M}; it has {days[0]} to {days[-1]}",
            next_step="choose a later --end",
        )
