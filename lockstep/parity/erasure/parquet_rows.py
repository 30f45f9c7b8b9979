"""Rows of parquet objects of the lake: the tables that were ingested, scored, rejected, served."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lockstep.lake.lake import Lake
from lockstep.lake.parquet import collect, schema_of
from lockstep.parity.erasure.place import Found


@dataclass(frozen=True)
class ParquetRows:
    """The rows of which `theirs` holds, in the objects that are `listed`; others stay as they are.

    Objects that lack one of its columns have none. With `doubtful`, an expression too, the rows
    of which it holds remain, as `why` says.
    """

    name: str
    lake: Lake
    listed: Callable[[], Sequence[str]]
    theirs: pl.Expr
    doubtful: pl.Expr | None = None
    why: str = ""

    def find(self) -> Found:
        found = Found()
        for key in self.listed():
            if rows := self._count(key, self.theirs):
                found += Found(rows, 1)
        if self.doubtful is not None:
            doubtful = self.doubtful & ~self.theirs
            if rows := sum(self._count(key, doubtful) for key in self.listed()):
                found += Found(remains=(f"{rows:,} rows {self.why}",))
        return found

    def erase(self) -> None:
        for key in self.listed():
            if self._count(key, self.theirs):
                rewrite(self.lake, key, self.theirs)

    def _count(self, key: str, rows: pl.Expr) -> int:
        if not set(rows.meta.root_names()) <= set(schema_of(self.lake, key)):
            return 0
        scan = self.lake.scan_parquet([key]).filter(rows).select(pl.len())
        return int(collect(self.lake, [key], scan).item())


def rewrite(lake: Lake, key: str, theirs: pl.Expr) -> None:
    """Replaces the object by its other rows, atomically; removes it where there are none.

    Types, order and what the schema says of itself stay.

    Raises:
        LakeError: the object is gone.
    """
    table = pq.read_table(pa.BufferReader(lake.read_bytes(key)))
    mask = pl.read_parquet(io.BytesIO(lake.read_bytes(key))).select(~theirs).to_series()
    left = table.filter(mask.to_arrow())
    if left.num_rows:
        lake.write_parquet_batches(key, [left])
    else:
        lake.delete([key])


def parquet_keys(lake: Lake, prefix: str) -> list[str]:
    """The parquet objects below a prefix."""
    return [key for key in lake.list(prefix) if key.endswith(".parquet")]
