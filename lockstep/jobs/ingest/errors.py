"""What can be wrong with a whole file; a wrong row is rejected, not raised."""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.errors import LockstepError


class IngestError(LockstepError):
    """A file that cannot be ingested; the lake is as it was before."""

    @classmethod
    def no_file(cls, path: str) -> IngestError:
        return cls(
            f"there are no files at {path}",
            next_step="pass a parquet or text file, or a folder of them, with --from",
        )

    @classmethod
    def in_file(cls, path: str, cause: IngestError) -> IngestError:
        return cls(f"{path}: {cause.problem}", next_step=cause.next_step)

    @classmethod
    def mixed_columns(cls, one: str, other: str, column: str) -> IngestError:
        return cls(
            f"of {one} and {other} only one has the column {column!r}",
            next_step="ingest the files that have it apart from those that do not",
        )

    @classmethod
    def other_columns(cls, table: str, got: Iterable[str], expected: Iterable[str]) -> IngestError:
        return cls(
            f"table {table!r} has the columns {list(got)}, expected {list(expected)}",
            next_step="an older version wrote it: ingest all files into another LOCKSTEP_HOME",
        )

    @classmethod
    def malformed(cls, path: str, expected: str, cause: object) -> IngestError:
        return cls(
            f"{path} cannot be read as {expected} ({str(cause).splitlines()[0]})",
            next_step="export the file again",
        )

    @classmethod
    def fields(cls, path: str, *, rows: int, first: str, got: int, expected: int) -> IngestError:
        return cls(
            f"{path} has {rows:,} lines with another number of fields than {expected}, "
            f"the first with {got}: {first[:80]!r}",
            next_step=f"mend those lines, or write a header that names the {got} columns",
        )

    @classmethod
    def unknown_columns(
        cls, path: str, unknown: Iterable[str], known: Iterable[str]
    ) -> IngestError:
        return cls(
            f"{path} has unknown columns {list(unknown)[:5]}; known are {list(known)}",
            next_step="drop or rename them (an index written by pandas: use index=False)",
        )

    @classmethod
    def missing_columns(cls, path: str, missing: Iterable[str], got: Iterable[str]) -> IngestError:
        return cls(
            f"{path} lacks the columns {list(missing)[:5]}; it has {list(got)[:12]}",
            next_step="export them too, rename the columns that hold them, or pass the use case's "
            "option for what all rows share",
        )

    @classmethod
    def repeated_columns(cls, path: str, repeated: Iterable[str]) -> IngestError:
        return cls(
            f"{path} has the columns {list(repeated)[:5]} more than once (case is ignored)",
            next_step="keep one of each",
        )

    @classmethod
    def wrong_type(cls, column: str, got: object, expected: str) -> IngestError:
        return cls(
            f"column {column!r} is {got}, expected {expected}",
            next_step="cast the column in the file, or export it as text",
        )

    @classmethod
    def other_zone(cls, column: str, zone: str) -> IngestError:
        return cls(
            f"column {column!r} is in the time zone {zone}, expected UTC or none",
            next_step=f"convert it, in pandas with df[{column!r}].dt.tz_convert('UTC')",
        )

    @classmethod
    def too_many_rejected(
        cls, path: str, *, rejected: int, rows: int, allowed: float, reasons: str, next_step: str
    ) -> IngestError:
        return cls(
            f"{path}: {rejected:,} of {rows:,} rows are bad, more than the allowed "
            f"{allowed:.1%}: {reasons}",
            next_step=next_step,
        )

    @classmethod
    def out_of_range(cls, option: str, got: object, expected: str) -> IngestError:
        return cls(f"{option} is {got}, expected {expected}", next_step=f"change --{option}")

    @classmethod
    def unbalanced(cls, rows_in: int, *, accounted: int) -> IngestError:
        return cls(
            f"{rows_in:,} rows came in, {accounted:,} are accounted for",
            next_step="report this with the file: rows must never be lost",
        )


class EmptySourceError(IngestError):
    """A source that is there and holds nothing."""

    @classmethod
    def at(cls, path: str) -> EmptySourceError:
        return cls(
            f"{path} has no rows",
            next_step="export a range that has data; --allow-empty says that there was none",
        )
