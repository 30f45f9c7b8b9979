"""What can be wrong with a command as it was typed."""

from __future__ import annotations

from datetime import datetime
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
    def other_zone(cls, option: str, text: str) -> UsageError:
        return cls(f"{option} {text!r} is not UTC", next_step="convert it and end it with Z")


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
    def too_few(cls, got: int, asked: int, cut: datetime) -> DemoError:
        return cls(
            f"there are {got:,} transactions after {cut:%Y-%m-%d %H:%M}, asked for {asked:,}",
            next_step="simulate more customers, or ask for fewer --requests",
        )

    @classmethod
    def mismatches(cls, summary: str) -> DemoError:
        return cls(summary, next_step="this is a fault of Lockstep: please report it")


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "the whole"
