"""What can be wrong with a command as it was typed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

from pydantic import ValidationError

from lockstep.errors import LockstepError


class UsageError(LockstepError):
    """An argument that means nothing here."""

    @classmethod
    def not_an_instant(cls, option: str, text: str) -> UsageError:
        return cls(
            f"{option} {text!r} is not an instant",
            next_step="write it like 2018-08-08 or 2018-08-08T12:00:00Z",
        )

    @classmethod
    def unfinished_day(cls, option: str, day: date, today: date) -> UsageError:
        return cls(
            f"{option} {day} takes days that are not over (it is {today} UTC)",
            next_step=f"give {today} or an earlier day",
        )

    @classmethod
    def not_together(cls, options: Iterable[str]) -> UsageError:
        return cls(
            f"{' and '.join(options)} do not go together",
            next_step="give one of them, and run twice",
        )

    @classmethod
    def other_zone(cls, option: str, text: str) -> UsageError:
        return cls(f"{option} {text!r} is not UTC", next_step="convert it and end it with Z")


class OptionError(LockstepError):
    """An option that a use case does not have, or a value that is none of its."""

    @classmethod
    def unknown(cls, name: str, known: Iterable[str]) -> OptionError:
        flags = ", ".join(_flag(one) for one in known) or "no options of its own"
        return cls(f"there is no option {_flag(name)} here", next_step=f"known are {flags}")

    @classmethod
    def missing(cls, name: str) -> OptionError:
        return cls(f"{_flag(name)} is missing", next_step=f"give it: {_flag(name)} VALUE")

    @classmethod
    def no_flag(cls, text: str) -> OptionError:
        return cls(f"{text!r} is no option", next_step="write --name value")

    @classmethod
    def bad_value(cls, name: str, text: str, kind: type) -> OptionError:
        wanted = {"int": "a whole number", "float": "a number", "date": "a day, like 2018-04-01"}
        expected = wanted.get(kind.__name__, "text")
        return cls(f"{_flag(name)} is {text!r}", next_step=f"give it {expected}")


class SettingsError(LockstepError):
    """Environment variables that cannot be used."""

    @classmethod
    def invalid(cls, cause: ValidationError) -> SettingsError:
        fields = (f"{_place(e['loc'])} is {e['input']!r}: {e['msg']}" for e in cause.errors())
        return cls(
            f"{cause.title} cannot be used ({'; '.join(fields)})",
            next_step="mend or unset those LOCKSTEP_... or SERVING_... variables",
        )


class FileSystemError(LockstepError):
    """What the operating system refuses."""

    @classmethod
    def refused(cls, cause: OSError) -> FileSystemError:
        return cls(str(cause), next_step="check the path and its permissions")


class DemoError(LockstepError):
    """A demo that cannot go on."""

    @classmethod
    def not_its_own(cls, place: str) -> DemoError:
        return cls(
            f"{place} holds data that the demo did not make",
            next_step="move it away, or set LOCKSTEP_HOME or LOCKSTEP_LAKE to another place",
        )

    @classmethod
    def api_ended(cls, code: int, log: Path) -> DemoError:
        return cls(f"the API ended with code {code}", next_step=f"read {log}")

    @classmethod
    def api_not_ready(cls, seconds: float, why: str, log: Path) -> DemoError:
        return cls(f"the API was not ready within {seconds:.0f} s: {why}", next_step=f"read {log}")

    @classmethod
    def refused(cls, path: str, status: int, answer: str) -> DemoError:
        return cls(f"POST {path} answered {status}: {answer[:500]}", next_step="mend what it names")

    @classmethod
    def no_events(cls, table: str, cut: datetime) -> DemoError:
        return cls(
            f"{table} has nothing after {cut:%Y-%m-%d %H:%M}", next_step="generate more of it"
        )

    @classmethod
    def mismatches(cls, summary: str) -> DemoError:
        return cls(summary, next_step="this is a fault of Lockstep: please report it")

    @classmethod
    def audit_refused(cls, code: int) -> DemoError:
        return cls(
            f"the audit ended with code {code}: what was served could not be proven",
            next_step="read what it says above; this is a fault of Lockstep: please report it",
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "the whole"
