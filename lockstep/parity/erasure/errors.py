"""What cannot be forgotten or corrected as it was asked for."""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.errors import LockstepError


class ErasureError(LockstepError):
    """An entity that cannot be forgotten as it was named; nothing was changed."""

    @classmethod
    def not_an_entity(cls, text: str) -> ErasureError:
        return cls(
            f"--entity {text!r} names no entity and id", next_step="write it like customer=42"
        )

    @classmethod
    def composite(cls, text: str) -> ErasureError:
        return cls(
            f"--entity {text!r} names several keys",
            next_step="name one of them: all rows that have it go, whatever else they have",
        )

    @classmethod
    def unknown_entity(cls, use_case: str, name: str, known: Iterable[str]) -> ErasureError:
        return cls(
            f"use case {use_case!r} has no entity {name!r} of which its files have the id; "
            f"known are {sorted(known)}",
            next_step="name one of them, or another use case",
        )

    @classmethod
    def bad_id(cls, name: str, text: str, problem: str) -> ErasureError:
        return cls(
            f"{text!r} is no id of {name!r} ({problem})", next_step="write it as the files have it"
        )

    @classmethod
    def other_store(cls, store: str) -> ErasureError:
        return cls(
            f"the online store is {store}, of which Lockstep cannot erase",
            next_step="erase there by the store's own means, or use LockstepOnlineStore",
        )

    @classmethod
    def damaged(cls, address: str, cause: Exception) -> ErasureError:
        return cls(
            f"{address} is no record of an erasure or a correction ({cause})",
            next_step="bring it back from a backup",
        )


class CorrectionError(LockstepError):
    """Corrections that cannot be taken as such; nothing was changed."""

    @classmethod
    def no_created_times(cls, path: str) -> CorrectionError:
        return cls(
            f"{path} has no created_timestamp",
            next_step="say in it when each correction was made: later than what it corrects",
        )

    @classmethod
    def rejected(cls, path: str, rows: int, reasons: str) -> CorrectionError:
        return cls(
            f"{path}: {rows:,} rows are bad: {reasons}",
            next_step="mend them: corrections are taken all or none",
        )

    @classmethod
    def unknown_ids(cls, path: str, ids: Iterable[object], rows: int) -> CorrectionError:
        return cls(
            f"{path}: {rows:,} rows correct ids that the lake does not hold: {list(ids)[:5]}",
            next_step="leave them out, or add them with `lockstep ingest`",
        )
