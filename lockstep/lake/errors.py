"""What can be wrong with a table of the lake."""

from __future__ import annotations

from pathlib import Path

from lockstep.errors import LockstepError


class LakeError(LockstepError):
    """A table that is absent, empty or unreadable."""

    @classmethod
    def no_table(cls, name: str, path: Path, *, next_step: str) -> LakeError:
        return cls(f"table {name!r} has no day partitions under {path}", next_step=next_step)

    @classmethod
    def no_days(cls, name: str, asked: str, available: str) -> LakeError:
        return cls(
            f"table {name!r} has no data for {asked}; it has {available}",
            next_step="choose a range inside it, or ingest those days",
        )

    @classmethod
    def unreadable(cls, path: Path, cause: Exception) -> LakeError:
        return cls(
            f"{path} cannot be read as parquet ({_first_line(cause)})",
            next_step="delete that day's folder and build or ingest it again",
        )

    @classmethod
    def unreadable_table(cls, folder: Path, cause: BaseException) -> LakeError:
        return cls(
            f"a partition of {folder} cannot be read as parquet ({_first_line(cause)})",
            next_step="delete that day's folder and build or ingest it again",
        )

    @classmethod
    def not_a_day(cls, folder: Path) -> LakeError:
        return cls(
            f"{folder} is not named after a day, expected a name such as day=2018-04-01",
            next_step="rename that folder, or move it out of the table",
        )


def _first_line(cause: BaseException) -> str:
    """The message without the query plan that polars may append to it."""
    return str(cause).partition("\n")[0]
