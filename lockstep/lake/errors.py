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
            f"{path} cannot be read as parquet ({cause})",
            next_step="delete that day's folder and build or ingest it again",
        )
