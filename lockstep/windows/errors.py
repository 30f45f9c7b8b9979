"""What can be wrong with a window's specification or with its events."""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.errors import LockstepError


class WindowSpecError(LockstepError):
    """A `WindowSpec` that cannot mean anything."""

    @classmethod
    def bad_duration(cls, text: str) -> WindowSpecError:
        return cls(
            f"{text!r} is not a length of time",
            next_step="write a whole number below a million and m, h or d, such as '90m' or '7d'",
        )

    @classmethod
    def bad_bars(cls, text: str) -> WindowSpecError:
        return cls(
            f"{text!r} is not a number of bars",
            next_step="a spec with a `bar` counts its windows in bars: write '20b' or '200b'",
        )

    @classmethod
    def no_bar(cls, name: str, functions: Iterable[str]) -> WindowSpecError:
        return cls(
            f"{name!r} has {list(functions)}, which are of bars, and no `bar`",
            next_step="say how far apart the rows are, such as bar='4h'",
        )

    @classmethod
    def unknown_function(cls, name: str, known: Iterable[str]) -> WindowSpecError:
        return cls(
            f"there is no window function {name!r}", next_step=f"use one of {', '.join(known)}"
        )

    @classmethod
    def bad_aggregation(cls, problem: str) -> WindowSpecError:
        return cls(problem, next_step="mend the WindowSpec in the view's definition")


class EventsError(LockstepError):
    """Events that the window core refuses: silent coercion would break parity."""

    @classmethod
    def missing_columns(cls, missing: Iterable[str], got: Iterable[str]) -> EventsError:
        return cls(
            f"the events lack {sorted(missing)[:5]}; they have {sorted(got)[:12]}",
            next_step="select the columns that the WindowSpec names",
        )

    @classmethod
    def wrong_type(cls, column: str, got: object, expected: str) -> EventsError:
        return cls(
            f"column {column!r} is {got}, expected {expected}",
            next_step="cast it at ingest",
        )

    @classmethod
    def not_whole(cls, column: str, got: object) -> EventsError:
        return cls(
            f"column {column!r} is {got}, expected an integer of at most 64 bits",
            next_step="declare a scale and store integers (cents, ticks, 0/1)",
        )

    @classmethod
    def nulls(cls, column: str, count: int) -> EventsError:
        return cls(
            f"column {column!r} has {count:,} nulls, expected none",
            next_step="reject such rows at ingest",
        )

    @classmethod
    def unmatched_deletions(cls, count: int, examples: Iterable[object]) -> EventsError:
        return cls(
            f"{count:,} deletions repeat no row that was created before them, "
            f"such as {list(examples)[:5]}",
            next_step="ingest the deleted rows first, or reject such deletions at ingest",
        )

    @classmethod
    def too_many_versions(cls, versions: int, most: int, rows: int) -> EventsError:
        return cls(
            f"late rows would add {versions:,} versions to a batch of {rows:,} rows, "
            f"more than {most:,}",
            next_step="ingest rows that arrive together with one created time, or shorter windows",
        )

    @classmethod
    def out_of_range(cls, column: str, problem: str) -> EventsError:
        return cls(f"column {column!r} {problem}", next_step="mend or reject such rows at ingest")
