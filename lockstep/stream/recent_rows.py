"""The rows of a stream that a window can still hold, each of them once."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lockstep.contract.record_schema import RecordSchema
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP


@dataclass(frozen=True)
class Taken:
    """Of the rows that came: `fresh` ones; how many were `repeated`; and `conflicting` ones.

    A row that is repeated says what one of its id has said, whatever its created time: the first
    counts. One that conflicts says something else.
    """

    fresh: pl.DataFrame
    repeated: int
    conflicting: pl.DataFrame


class RecentRows:
    """Rows by their ids, in the order in which they came. `rows` are those at the beginning."""

    def __init__(self, schema: RecordSchema, rows: pl.DataFrame) -> None:
        self._id = schema.row_id
        self._names = list(schema.names)
        self._said = [name for name in schema.names if name != CREATED_TIMESTAMP]
        self._none = rows.select(self._names).clear()
        self._contents: dict[int, int] = {}
        self._parts: list[pl.DataFrame] = []
        # Days go one by one when they are old enough.
        days = pl.col(EVENT_TIMESTAMP).dt.date().alias("_day")
        for part in rows.select(self._names).with_columns(days).partition_by("_day"):
            self.take(part.drop("_day"))

    @property
    def rows(self) -> pl.DataFrame:
        """All of them, in the order of the schema's columns."""
        return pl.concat([self._none, *self._parts])

    def take(self, rows: pl.DataFrame) -> Taken:
        """Adds the fresh ones among `rows`, which have the schema's columns."""
        ids = rows.get_column(self._id).to_list()
        contents = rows.select(self._said).hash_rows().to_list()
        fresh, conflicting = list[int](), list[int]()
        for place, (row_id, content) in enumerate(zip(ids, contents, strict=True)):
            known = self._contents.get(row_id)
            if known is None:
                self._contents[row_id] = content
                fresh.append(place)
            elif known != content:
                conflicting.append(place)
        taken = rows[fresh]
        if fresh:
            self._parts.append(taken.select(self._names))
        repeated = rows.height - len(fresh) - len(conflicting)
        return Taken(taken, repeated, rows[conflicting])

    def forget_before(self, event_us: int) -> None:
        """Lets go of what came with no row as young as that; the rest goes later."""
        kept = list[pl.DataFrame]()
        for part in self._parts:
            event = part.get_column(EVENT_TIMESTAMP).to_physical()
            if (event >= event_us).any():
                kept.append(part)
            else:
                for row_id in part.get_column(self._id):
                    del self._contents[row_id]
        self._parts = kept
