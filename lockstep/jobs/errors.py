"""What can go wrong in a job over the lake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from lockstep.errors import LockstepError

_WHOLE = "leave --start out to build the table whole"


class BuildError(LockstepError):
    """A build that cannot give a table."""

    @classmethod
    def future_end(cls, end: datetime, now: datetime) -> BuildError:
        return cls(
            f"--end {end:%Y-%m-%d %H:%M} is in the future (it is {now:%Y-%m-%d %H:%M} UTC)",
            next_step="leave it out: a table is built up to what is known",
        )

    @classmethod
    def not_an_hour(cls, option: str, instant: datetime) -> BuildError:
        return cls(
            f"{option} {instant.isoformat()} is not a whole hour",
            next_step=f"give the hour that begins at {instant:%Y-%m-%dT%H:00} or the next one",
        )

    @classmethod
    def empty_interval(cls, start: datetime, end: datetime) -> BuildError:
        return cls(
            f"nothing lies between --start {start:%Y-%m-%d %H:%M} and the end {end:%Y-%m-%d %H:%M}",
            next_step="choose an earlier --start, or ingest what came after it",
        )

    @classmethod
    def no_events(cls, source: str, end: datetime, days: Sequence[date]) -> BuildError:
        return cls(
            f"{source} has no events before {end:%Y-%m-%d %H:%M}; it has {days[0]} to {days[-1]}",
            next_step="choose a later --end",
        )

    @classmethod
    def never_built(cls, table: str) -> BuildError:
        return cls(
            f"{table} has not been built, so there is nothing to go on from", next_step=_WHOLE
        )

    @classmethod
    def gap(cls, table: str, start: datetime, end: datetime) -> BuildError:
        return cls(
            f"--start {start:%Y-%m-%d %H:%M} leaves a gap: {table} ends at {end.isoformat()}",
            next_step=f"give --start {end:%Y-%m-%dT%H:00} or earlier",
        )

    @classmethod
    def other_definition(cls, table: str, differing: Sequence[str]) -> BuildError:
        return cls(
            f"{table} was built with other {', '.join(differing)} than are declared now",
            next_step=_WHOLE,
        )

    @classmethod
    def changed_before(cls, table: str, start: datetime, changed: datetime) -> BuildError:
        return cls(
            f"what became known from {changed:%Y-%m-%d %H:%M} on has changed since {table} was "
            f"built, and steps at --start {start:%Y-%m-%d %H:%M} still hold it",
            next_step=f"give --start {changed:%Y-%m-%dT%H:00} --cascade",
        )

    @classmethod
    def lost_day(cls, table: str, day: date) -> BuildError:
        return cls(
            f"the partition of {day} of {table} is gone, and a part of it was to stay",
            next_step=f"give --start {day}T00:00, and an --end behind that day or none",
        )

    @classmethod
    def other_columns(
        cls, table: str, day: date, got: Mapping[str, object], expected: Mapping[str, object]
    ) -> BuildError:
        odd = sorted(name for name in {*got, *expected} if got.get(name) != expected.get(name))
        return cls(f"{table} has other columns on {day}: {odd[:5]}", next_step=_WHOLE)


class TableError(LockstepError):
    """A table of steps that may not be materialised."""

    @classmethod
    def never_built(cls, table: str) -> TableError:
        return cls(f"{table} was never built", next_step="run `lockstep build` without --start")

    @classmethod
    def too_short(cls, table: str, end: datetime, wanted: datetime) -> TableError:
        return cls(
            f"{table} ends at {end.isoformat()}, before {wanted.isoformat()}",
            next_step=f"ingest and build up to {wanted:%Y-%m-%dT%H:00}",
        )

    @classmethod
    def stale(cls, table: str, days: Sequence[str]) -> TableError:
        return cls(
            f"{table} is stale from {days[0]} to {days[1]}: rows that it reflects have changed",
            next_step="build these days again with --cascade",
        )

    @classmethod
    def other_days(cls, table: str, lost: Iterable[date], foreign: Iterable[date]) -> TableError:
        named = {"lacks": sorted(lost), "has unrecorded": sorted(foreign)}
        told = [f"{what} {_few(days)}" for what, days in named.items() if days]
        return cls(f"{table} {' and '.join(told)}", next_step=_WHOLE)

    @classmethod
    def other_count(cls, table: str, day: date, got: int, expected: int) -> TableError:
        return cls(
            f"{table} has {got:,} rows on {day}, expected {expected:,}",
            next_step=f"build {day} again: something else wrote it",
        )

    @classmethod
    def broken(cls, table: str, day: date, what: str, rows: int, first: object) -> TableError:
        return cls(
            f"{table} has {rows:,} rows on {day} against the rule {what!r}, such as {first}",
            next_step=f"build {day} again; if that gives the same, report it",
        )


def _few(days: Sequence[date]) -> str:
    return ", ".join(map(str, days[:5])) + (f" and {len(days) - 5} more" if len(days) > 5 else "")
