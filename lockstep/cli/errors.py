"""What can be wrong with a command as it was typed."""

from __future__ import annotations

from collections.abc import Sequence

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

    @classmethod
    def unknown_use_case(cls, name: str, known: Sequence[str]) -> UsageError:
        return cls(f"there is no use case {name!r}", next_step=f"use one of {list(known)}")
