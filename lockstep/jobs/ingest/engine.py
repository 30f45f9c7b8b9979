"""What an ingest needs of whatever runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import polars as pl

from lockstep.jobs.ingest.split import Split

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, from 0 to 1."""

Check = Callable[[Split], pl.DataFrame]
"""From a split to its checked rows."""


class Engine(Protocol):
    """Runs functions of an ingest, one after another or side by side.

    They and what they take and return can be sent to another process. A function may run
    more than once on the same item.
    """

    @property
    def rows_a_bucket(self) -> int:
        """How many rows a bucket may well have."""
        ...

    def each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The function's result for each item, in order.

        Raises:
            LockstepError: what the function raises.
        """
        ...

    def each_bucket(
        self,
        splits: Sequence[Split],
        check: Check,
        settle: Callable[[int, pl.DataFrame], Result],
        *,
        key: Sequence[str],
        schema: pl.Schema,
        buckets: int,
    ) -> Iterator[Result]:
        """The result of `settle` for the number and the checked rows of each bucket.

        Checked rows have `schema`. Rows of one id are in one bucket; a bucket without rows
        has no result.

        Raises:
            LockstepError: what the functions raise.
        """
        ...


def bucket_of(key: Sequence[str], buckets: int) -> pl.Expr:
    """The number of a row's bucket, by its id alone; also where the id is null."""
    return (pl.struct(key).hash() % buckets).cast(pl.Int32)
