"""The side table of rejected rows, one folder a source.

    <lake>/fraud/transactions_rejected/source=<first 16 digits of the SHA-256>/00000.parquet

Not by day, as other tables are: the time of a rejected row may be the very value that
cannot be read, and the day of the ingest would put the same source into two places. The
content's hash gives it one place for good, so that ingesting it again replaces its rows
and never doubles them: one object for each split that has any. `LakeTable` therefore finds
no days here; use `scan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import polars as pl

from lockstep.jobs.ingest.check import PLACE, REASON
from lockstep.jobs.ingest.engine import Engine
from lockstep.jobs.ingest.source import Source
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.split import FILE, ROW_NUMBER, Split
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.lake.stage import Stage

SOURCE_FILE = "source_file"


@dataclass(frozen=True)
class RejectedTable:
    """A side table under the lake's root."""

    lake: Lake
    name: str

    @property
    def address(self) -> str:
        """Where the table is, for people."""
        return self.lake.address(self.name)

    def folder(self, source_key: str) -> str:
        """The prefix of one source's rejected rows, whether there are any or not."""
        return f"{self.name}/source={source_key}/"

    def part(self, source_key: str, number: int) -> str:
        """The key of those of its split of that number."""
        return f"{self.folder(source_key)}{number:05d}.parquet"

    def keep_only(self, source_key: str, numbers: set[int]) -> None:
        """Removes what an earlier ingest rejected in other splits of the source."""
        kept = {self.part(source_key, number) for number in numbers}
        found = self.lake.list(self.folder(source_key))
        self.lake.delete([key for key in found if key not in kept])

    def scan(self) -> pl.LazyFrame:
        """The rejected rows of every source, lazily.

        Raises:
            LakeError: there are none.
        """
        parts = self.lake.list(f"{self.name}/source=")
        if not parts:
            raise LakeError.no_table(
                self.name, self.address, next_step="nothing was rejected so far"
            )
        return self.lake.scan_parquet(parts)


def keep_rejected(source: Source, stage: Stage, *, spec: IngestSpec, engine: Engine) -> None:
    """Makes the staged reasons, and the rows they stand for, the source's rejected rows."""
    table = RejectedTable(stage.lake, spec.rejected)
    kept: set[int] = set()
    if stage.has(spec.rejected):
        numbered = list(enumerate(source.splits))
        found = engine.each(partial(_copy, stage=stage, spec=spec), numbered)
        kept = {n for (n, _), any_ in zip(numbered, found, strict=True) if any_}
    table.keep_only(source.key, kept)


def _copy(numbered: tuple[int, Split], stage: Stage, spec: IngestSpec) -> bool:
    """Whether the split has rejected rows; they are in the side table then, as text."""
    number, split = numbered
    of_split = pl.col(ROW_NUMBER).is_between(split.first_row, split.last_row)
    reasons = stage.scan(spec.rejected).filter(of_split, pl.col(FILE) == split.file).collect()
    if reasons.is_empty():
        return False
    raw = split.read().join(reasons, on=PLACE, how="inner", maintain_order="left")
    values = [
        pl.col(name).cast(pl.String) if name in raw.columns else _absent(name)
        for name in spec.names
    ]
    rows = raw.select(*values, pl.lit(split.key).alias(SOURCE_FILE), ROW_NUMBER, REASON)
    table = RejectedTable(stage.lake, spec.rejected)
    stage.lake.write_parquet(table.part(stage.source_key, number), rows)
    return True


def _absent(name: str) -> pl.Expr:
    return pl.lit(None, dtype=pl.String).alias(name)
