"""The parquet behind a FileSource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import polars as pl
from feast import FileSource
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from polars.exceptions import PolarsError

from lockstep.lake.table import LakeTable
from lockstep.stores.column_types import as_utc
from lockstep.stores.errors import SourceError


@dataclass(frozen=True)
class SourceTable:
    """One file, a folder of files, or a table of the lake with its day partitions."""

    path: Path

    @classmethod
    def of(cls, source: DataSource, lake: Path) -> SourceTable:
        """The table that `source` names; a relative path is under `lake`.

        Raises:
            SourceError: `source` is not local parquet.
        """
        if not isinstance(source, FileSource):
            raise SourceError.unsupported(type(source).__name__, "a FileSource")
        if not isinstance(source.file_format, ParquetFormat | None):
            raise SourceError.unsupported(source.name, "parquet")
        parts = urlsplit(source.path)
        if parts.scheme not in ("", "file"):
            raise SourceError.unsupported(source.path, "a local path")
        return cls(lake / parts.path)

    def files(self) -> list[Path]:
        """The files in the order of their rows: day after day, else by name.

        Raises:
            SourceError: there are none.
        """
        if self.path.is_file():
            return [self.path]
        lake_table = self._lake_table()
        files = [lake_table.part(day) for day in lake_table.days()]
        files = files or sorted(p for p in self.path.rglob("*.parquet") if p.name[0] not in "._")
        if not files:
            raise SourceError.missing(self.path)
        return files

    def scan(self) -> pl.LazyFrame:
        """The rows, lazily, in the order of `files`.

        Raises:
            SourceError: there are no files.
        """
        return pl.scan_parquet(
            self.files(), glob=False, hive_partitioning=False, extra_columns="ignore"
        )

    def scan_between(
        self, columns: Sequence[str], timestamp: str, start: datetime | None, end: datetime | None
    ) -> pl.LazyFrame:
        """`columns` of the rows from `start` to `end`, both included; None leaves an end open.

        A naive time, in the rows or as a bound, is UTC. The columns stay as they are.

        Raises:
            SourceError: there are no files, or columns are absent, or `timestamp` is no time.
        """
        schema = self.schema()
        missing = set(columns) - set(schema)
        if missing:
            raise SourceError.missing_columns(self.path, missing, schema)
        at = as_utc(timestamp, schema[timestamp])
        if at is None:
            raise SourceError.wrong_type(self.path, timestamp, schema[timestamp], "a time")
        rows = self.scan().select(columns)
        if start is not None:
            rows = rows.filter(at >= _aware(start))
        return rows if end is None else rows.filter(at <= _aware(end))

    def collect(
        self, rows: pl.LazyFrame, *, engine: Literal["auto", "streaming"] = "auto"
    ) -> pl.DataFrame:
        """`rows`, a query over `scan`, as a frame.

        Raises:
            SourceError: a file is not parquet or has other columns or values than declared.
        """
        try:
            return rows.collect(engine=engine)
        except (PolarsError, OSError) as error:
            raise SourceError.unreadable(self.path, error) from error

    def schema(self) -> pl.Schema:
        """The columns and their types.

        Raises:
            SourceError: there are no files, or the first is not parquet.
        """
        try:
            return self.scan().collect_schema()
        except (PolarsError, OSError) as error:
            raise SourceError.unreadable(self.path, error) from error

    def horizon(self) -> datetime | None:
        """The T before which the table is exact; None where nobody recorded it."""
        return self._lake_table().horizon()

    def _lake_table(self) -> LakeTable:
        return LakeTable(self.path.parent, self.path.name)


def _aware(bound: datetime) -> datetime:
    return bound if bound.tzinfo else bound.replace(tzinfo=UTC)
