"""What can be wrong with a table of the lake."""

from __future__ import annotations

import polars as pl

from lockstep.errors import LockstepError


class LakeError(LockstepError):
    """A table that is absent, empty or unreadable."""

    @classmethod
    def no_table(cls, name: str, address: str, *, next_step: str) -> LakeError:
        return cls(f"table {name!r} has no day partitions under {address}", next_step=next_step)

    @classmethod
    def no_days(cls, name: str, asked: str, available: str) -> LakeError:
        return cls(
            f"table {name!r} has no data for {asked}; it has {available}",
            next_step="choose a range inside it, or ingest those days",
        )

    @classmethod
    def no_rows(cls, name: str, days: str) -> LakeError:
        return cls(f"table {name!r} has no rows in {days}", next_step="build or ingest it again")

    @classmethod
    def bad_metadata(cls, address: str, cause: Exception) -> LakeError:
        return cls(
            f"{address} is not the record of a table ({cause})",
            next_step="delete it and build or ingest the table again",
        )

    @classmethod
    def damaged_forgotten(cls, address: str, cause: Exception) -> LakeError:
        return cls(
            f"{address} does not say whom to refuse ({cause})",
            next_step="bring it back from a backup: without it forgotten rows would return",
        )

    @classmethod
    def unreadable(cls, address: str, cause: BaseException) -> LakeError:
        return cls(
            f"{address} cannot be read as parquet ({_first_line(cause)})",
            next_step="delete that day's folder and build or ingest it again",
        )

    @classmethod
    def not_by_polars(cls, address: str, cause: BaseException) -> LakeError:
        return cls(
            f"Polars cannot read {address}, though its bytes can be read ({_first_line(cause)})",
            next_step="check that AWS_REGION is the bucket's own and that the server knows ranges",
        )

    @classmethod
    def other_values(cls, address: str, cause: BaseException) -> LakeError:
        return cls(
            f"the rows of {address} are not as asked for ({_first_line(cause)})",
            next_step="check the types and values of its columns against those that are declared",
        )

    @classmethod
    def changing(cls, address: str) -> LakeError:
        return cls(
            f"{address} was being replaced whenever it was read",
            next_step="wait for the build or ingest that writes it, then run this again",
        )

    @classmethod
    def half_ingested(cls, address: str) -> LakeError:
        return cls(
            f"{address} has only a part of what was ingested last: that is under way or broke off",
            next_step="wait for it; if it broke off, any `lockstep ingest` of the use case ends it",
        )

    @classmethod
    def other_columns(cls, address: str, got: pl.Schema, expected: pl.Schema) -> LakeError:
        return cls(
            f"{address} has {_difference(got, expected)}, other than the first day",
            next_step="build or ingest the table again, or move that day out of it",
        )

    @classmethod
    def foreign_object(cls, address: str) -> LakeError:
        return cls(
            f"{address} is not a day partition of Lockstep, expected day=.../part.parquet alone",
            next_step="move it out of the table, or ingest its rows",
        )

    @classmethod
    def not_a_day(cls, folder: str) -> LakeError:
        return cls(
            f"{folder} is not named after a day, expected a name such as day=2018-04-01",
            next_step="rename that folder, or move it out of the table",
        )

    @classmethod
    def unknown_uri(cls, uri: str) -> LakeError:
        return cls(
            f"{uri!r} is not the place of a lake",
            next_step="set LOCKSTEP_LAKE to a path, file:///path or s3://bucket/prefix",
        )

    @classmethod
    def refused(cls, address: str, cause: OSError) -> LakeError:
        return cls(
            f"the lake at {address} cannot be used ({cause})",
            next_step="give this user the right to, or set LOCKSTEP_LAKE to another place",
        )


class NoObjectError(LakeError):
    """There is no object of a key."""

    @classmethod
    def at(cls, address: str) -> NoObjectError:
        return cls(f"there is nothing at {address}", next_step="build or ingest it first")


def _difference(got: pl.Schema, expected: pl.Schema) -> str:
    """The columns that are not as expected, at most five, in words."""
    lacking = [f"no {name}" for name in expected if name not in got]
    odd = [f"{name} {kind}" for name, kind in got.items() if expected.get(name) != kind]
    return ", ".join([*lacking, *odd][:5]) or "its columns in another order"


def _first_line(cause: BaseException) -> str:
    """The message without the query plan that polars may append to it."""
    return str(cause).partition("\n")[0]
