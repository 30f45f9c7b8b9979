"""The tasks of the join in Spark: one bucket's rows and steps, joined and staged.

Imports no Feast, which would cost every worker of Spark seconds.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from lockstep.lake.lake import Lake
from lockstep.lake.spark.outcome import as_outcomes
from lockstep.stores.join_receipt import ViewAccount
from lockstep.stores.view_query import ROW, ViewQuery, columns_of

BUCKET = "__bucket"


@dataclass(frozen=True)
class Stages:
    """Where the tasks leave what the rows of their buckets see."""

    lake: Lake
    folder: str

    def put(self, view: str, bucket: int, rows: pl.DataFrame) -> None:
        """Keeps one bucket's rows, in order: those of a range are read without the others."""
        buffer = io.BytesIO()
        rows.sort(ROW).write_parquet(buffer, compression="lz4", row_group_size=50_000)
        self.lake.write_bytes(f"{self.folder}{view}/{bucket:05d}.parquet", buffer.getvalue())

    def rows(self, view: str, first: int, last: int) -> pl.DataFrame:
        """What the rows from `first` to `last` see of a view, in their order."""
        pieces = self.lake.list(f"{self.folder}{view}/")
        some = pl.col(ROW).is_between(first, last)
        found = self.lake.scan_parquet(pieces).filter(some).collect()
        return found.sort(ROW).drop(ROW)


@dataclass(frozen=True)
class BucketJoin:
    """What a task is told: the query, and how steps are read from Spark's columns."""

    view: str
    query: ViewQuery
    columns: Sequence[pl.Expr]
    stages: Stages

    def run(self, left: pa.Table, right: pa.Table) -> pa.Table:
        """Joins one bucket and tells its account."""
        work = as_outcomes(lambda _: iter([self._joined(left, right)]))
        return pa.Table.from_batches(work(iter(())))

    def _joined(self, left: pa.Table, right: pa.Table) -> dict[str, Any]:
        rows, steps = pl.DataFrame(left), pl.DataFrame(right).select(self.columns)
        if not rows.is_empty():
            joined = self.query.join(rows, steps)
            bucket = int(rows.get_column(BUCKET)[0])
            self.stages.put(self.view, bucket, columns_of(rows, [joined]))
            return asdict(joined.account)
        return asdict(ViewAccount())
