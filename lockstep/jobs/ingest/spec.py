"""What a use case declares so that its files can be ingested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lockstep.jobs.ingest.column import Column
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED


@dataclass(frozen=True)
class OutputTable:
    """A lake table and how its rows follow from valid ones.

    `derive` gets the declared columns as int64 (times in microseconds), `created_timestamp`
    in any case; it returns one row for each, in order: the spec's key, an `event_timestamp`
    that says which day the row belongs to, and the row's own `created_timestamp`.
    """

    name: str
    derive: Callable[[pl.DataFrame], pl.DataFrame]

    def facts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The table's rows as they are stored: derived from valid ones, with `is_deleted`."""
        return self.derive(rows).with_columns((rows[DELETED] == 1).alias(DELETED))


@dataclass(frozen=True)
class IngestSpec:
    """The columns of a use case's files, its key, and the tables in the order of writing.

    `headerless` names the fields of text without a header. `event_time` is the column
    that stands in for a missing `created_timestamp`. `rejected` names the side table. Of
    each group in `never_below` the first is at least the sum of the others, in every row that has
    them all. Of each pair in `given_where` the first has a value exactly where the second, a flag,
    is 1.

    Where files have no id, `identity` names the columns that tell one row from another, and
    `key` the one column that is made of them; see `lockstep.jobs.ingest.identity`.
    """

    use_case: str
    columns: tuple[Column, ...]
    headerless: tuple[str, ...]
    key: tuple[str, ...]
    event_time: str
    tables: tuple[OutputTable, ...]
    rejected: str
    never_below: tuple[tuple[str, ...], ...] = ()
    given_where: tuple[tuple[str, str], ...] = ()
    identity: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every declared column, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that every file must have."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def declared_names(self) -> dict[str, str]:
        """Every name that a file may have for a column, and the declared one."""
        own = {name: name for name in self.names}
        return own | {alias: c.name for c in self.columns for alias in c.aliases}

    @property
    def fact(self) -> tuple[str, ...]:
        """What tells the facts of a table apart: one id, one instant, said or taken back."""
        return (*self.key, CREATED_TIMESTAMP, DELETED)
