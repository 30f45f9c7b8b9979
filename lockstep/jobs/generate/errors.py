"""What can be wrong with a request for generated data."""

from __future__ import annotations

from pathlib import Path

from lockstep.errors import LockstepError


class GenerateError(LockstepError):
    """Options that no data can be generated from, or a place it cannot be written to."""

    @classmethod
    def out_of_range(cls, option: str, got: object, expected: str) -> GenerateError:
        return cls(f"{option} is {got}, expected {expected}", next_step=f"change --{option}")

    @classmethod
    def not_a_file(cls, path: Path) -> GenerateError:
        return cls(f"{path} is a folder, expected a file to write", next_step="name a file in it")
