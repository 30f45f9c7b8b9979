"""The side table of rejected rows, one folder an input file.

    <lake>/fraud/transactions_rejected/source=<first 16 digits of the SHA-256>/part.parquet

Not by day, as other tables are: the time of a rejected row may be the very value that
cannot be read, and the day of the ingest would put the same file into two places. The
content's hash gives a file one place for good, so that ingesting it again replaces its
rows and never doubles them. `LakeTable` therefore finds no days here; use `scan`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lockstep.jobs.ingest.check import REASON
from lockstep.jobs.ingest.source import ROW_NUMBER, Source
from lockstep.lake.errors import LakeError
from lockstep.lake.parquet_file import replace_parquet

SOURCE_FILE = "source_file"

_PART = "part.parquet"


@dataclass(frozen=True)
class RejectedTable:
    """A side table under the lake's root."""

    lake_dir: Path
    name: str

    @property
    def path(self) -> Path:
        """The table's folder."""
        return self.lake_dir / self.name

    def part(self, source_key: str) -> Path:
        """The file of one input file's rejected rows, whether it is there or not."""
        return self.path / f"source={source_key}" / _PART

    def replace(self, source: Source, rejected: pl.DataFrame, columns: tuple[str, ...]) -> None:
        """Makes `rejected` the rows of `source`: text in all of `columns`, and the reason."""
        target = self.part(source.key)
        if rejected.is_empty():
            shutil.rmtree(target.parent, ignore_errors=True)
            return
        values = [
            pl.col(name).cast(pl.String) if name in rejected.columns else _absent(name)
            for name in columns
        ]
        origin = pl.lit(source.path.name).alias(SOURCE_FILE)
        replace_parquet(target, rejected.select(*values, origin, ROW_NUMBER, REASON))

    def scan(self) -> pl.LazyFrame:
        """The rejected rows of every file, lazily.

        Raises:
            LakeError: there are none.
        """
        parts = sorted(self.path.glob(f"source=*/{_PART}"))
        if not parts:
            raise LakeError.no_table(self.name, self.path, next_step="nothing was rejected so far")
        return pl.scan_parquet(parts, hive_partitioning=False)


def _absent(name: str) -> pl.Expr:
    return pl.lit(None, dtype=pl.String).alias(name)
