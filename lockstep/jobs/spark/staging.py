"""Steps between the two halves of a Spark build: pieces beside the table.

    <table>/_staging/<run>/00003-00000.parquet     bucket 3, its first piece

A piece holds one bucket's steps of many days, sorted by day: who wants some days reads only
their row groups. Names follow from the bucket alone, so that a task that runs twice writes
the same objects twice.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from lockstep.jobs.partitions import split_by_day
from lockstep.lake.parquet import collect
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import WindowSpec

_FOLDER = "_staging"
_DAY = "__day"
# Small enough that a reader of a few days decodes little else.
_GROUP_ROWS = 50_000


@dataclass(frozen=True)
class Piece:
    """One staged object, and how many steps of which days it holds."""

    key: str
    days: Mapping[date, int]

    def as_json(self) -> dict[str, Any]:
        return {"key": self.key, "days": {str(day): rows for day, rows in self.days.items()}}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Piece:
        days = {date.fromisoformat(day): rows for day, rows in found["days"].items()}
        return cls(found["key"], days)


@dataclass(frozen=True)
class Staging:
    """The pieces of one run."""

    table: LakeTable
    spec: WindowSpec
    run: str

    def write(self, bucket: int, number: int, frames: Sequence[pl.DataFrame]) -> Piece:
        """Stages `frames` of steps as the bucket's piece of that number."""
        parts = dict(split_by_day(pl.concat(frames), self.spec))
        dated = [part.with_columns(pl.lit(day).alias(_DAY)) for day, part in parts.items()]
        key = self.table.key(f"{_FOLDER}/{self.run}/{bucket:05}-{number:05}.parquet")
        self.table.lake.write_bytes(key, _encoded(pl.concat(dated)))
        return Piece(key, {day: part.height for day, part in parts.items()})

    def read(self, keys: Sequence[str], first: date, last: date) -> dict[date, pl.DataFrame]:
        """The steps of the days from `first` to `last`, each day's in the table's order.

        An entity's steps are in order within its bucket's pieces, so that a stable sort of
        the keys is enough; `keys` are in order of bucket and number.
        """
        rows = self.table.lake.scan_parquet(keys).filter(pl.col(_DAY).is_between(first, last))
        found = collect(self.table.lake, keys, rows)
        parts = found.partition_by(_DAY, as_dict=True, include_key=False)
        order = self.spec.entity_keys
        return {day: part.sort(order, maintain_order=True) for (day,), part in parts.items()}

    def clear(self) -> None:
        """Removes every run's pieces: this one's, and those of runs that died."""
        lake = self.table.lake
        lake.delete(lake.list(self.table.key(f"{_FOLDER}/")))


def _encoded(piece: pl.DataFrame) -> bytes:
    """Parquet that is read once: without dictionaries it takes two thirds of the time."""
    buffer = io.BytesIO()
    pq.write_table(
        piece.to_arrow(),
        buffer,
        row_group_size=_GROUP_ROWS,
        compression="lz4",
        use_dictionary=False,
        write_statistics=[_DAY],
    )
    return buffer.getvalue()
