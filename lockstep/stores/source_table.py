"""The parquet behind a FileSource."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal, TypeVar

import polars as pl
from feast import FileSource
from feast.data_format import ParquetFormat
from feast.data_source import DataSource

from lockstep.lake.lake import Lake
from lockstep.lake.parquet import collect, read_unchanged, schema_of
from lockstep.lake.table import LakeTable
from lockstep.stores.column_types import as_utc
from lockstep.stores.errors import SourceError
from lockstep.stores.lake_errors import lake_errors

_T = TypeVar("_T")


@dataclass(frozen=True)
class SourceTable:
    """One file, a folder of files, or a table with day partitions; `name` is its key in `lake`."""

    lake: Lake
    name: str

    @classmethod
    def of(cls, source: DataSource, lake: Lake) -> SourceTable:
        """The table that `source` names; a relative path is under `lake`.

        Raises:
            SourceError: `source` is not parquet in a folder or on S3.
        """
        if not isinstance(source, FileSource):
            raise SourceError.unsupported(type(source).__name__, "a FileSource")
        if not isinstance(source.file_format, ParquetFormat | None):
            raise SourceError.unsupported(source.name, "parquet")
        return cls.at(source.path, lake, endpoint=source.s3_endpoint_override or None)

    @classmethod
    def at(cls, path: str, lake: Lake, *, endpoint: str | None = None) -> SourceTable:
        """The table at `path`, a path or URI; a relative path is under `lake`.

        Raises:
            SourceError: it is no place of parquet.
        """
        path = path.rstrip("/")
        if "://" not in path and not path.startswith("/"):
            return cls(lake, path)
        folder, _, name = path.rpartition("/")
        with lake_errors():
            return cls(Lake.at(folder or "/", endpoint=endpoint), name)

    @property
    def address(self) -> str:
        """Where the table is, for people."""
        return self.lake.address(self.name)

    def exists(self) -> bool:
        """Whether there is anything.

        Raises:
            SourceError: the lake cannot be reached.
        """
        with lake_errors():
            return self.lake.exists(self.name) or bool(self.lake.list(f"{self.name}/"))

    @cached_property
    def files(self) -> list[str]:
        """The keys of the files in the order of their rows: day after day, else by name.

        Raises:
            SourceError: there are none, or the lake cannot be reached.
        """
        with lake_errors():
            files = [self.name] if self.lake.exists(self.name) else self._parts()
        if not files:
            raise SourceError.missing(self.address)
        return files

    @cached_property
    def versions(self) -> dict[str, str]:
        """The files, and for each a text that is another one once it has been replaced.

        Raises:
            SourceError: there are none, or the lake cannot be reached.
        """
        with lake_errors():
            found = self.lake.versions(self.name)
        return {file: found.get(file, "") for file in self.files}

    def has_days(self) -> bool:
        """Whether it is a table with day partitions, as builds and ingests write them."""
        with lake_errors():
            table = LakeTable(self.lake, self.name)
            return any(table.is_part(key) for key in self.lake.list(f"{self.name}/"))

    def _parts(self) -> list[str]:
        """Somebody else's folder may be cut into days too, but into other files than ours."""
        table = LakeTable(self.lake, self.name)
        keys = [key for key in self.lake.list(f"{self.name}/") if not self._is_hidden(key)]
        if any(table.is_part(key) for key in keys):
            return [table.part(day) for day in table.days()]
        return [key for key in keys if key.endswith(".parquet")]

    def _is_hidden(self, key: str) -> bool:
        return any(part[0] in "._" for part in key.removeprefix(f"{self.name}/").split("/"))

    def scan(self, files: Sequence[str] | None = None) -> pl.LazyFrame:
        """The rows, lazily, in the order of `files`, which are all unless some are named.

        Raises:
            SourceError: there are no files.
        """
        read = self.files if files is None else list(files)
        with lake_errors():
            return self.lake.scan_parquet(read, extra_columns="ignore")

    def scan_between(
        self, columns: Sequence[str], timestamp: str, start: datetime | None, end: datetime | None
    ) -> pl.LazyFrame:
        """`columns` of the rows from `start` to `end`, both included; None leaves an end open.

        A naive time, in the rows or as a bound, is UTC. The columns stay as they are.

        Raises:
            SourceError: there are no files, or columns are absent, or `timestamp` is no time.
        """
        schema = self.schema
        missing = set(columns) - set(schema)
        if missing:
            raise SourceError.missing_columns(self.address, missing, schema)
        at = as_utc(timestamp, schema[timestamp])
        if at is None:
            raise SourceError.wrong_type(self.address, timestamp, schema[timestamp], "a time")
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
        with lake_errors():
            return collect(self.lake, self.files, rows, engine=engine)

    def read_unchanged(self, files: Sequence[str], read: Callable[[], _T]) -> _T:
        """What `read` gives, which makes several queries over `scan(files)`.

        None of the files was replaced between them; `read` is called again where one was.

        Raises:
            SourceError: as in `collect`.
        """
        with lake_errors():
            return read_unchanged(self.lake, files, read)

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns and their types.

        Raises:
            SourceError: there are no files, or the first is not parquet.
        """
        with lake_errors():
            return schema_of(self.lake, self.files[0])

    def horizon(self) -> datetime | None:
        """The T before which the table is exact; None where nobody recorded it."""
        with lake_errors():
            return LakeTable(self.lake, self.name).horizon()


def _aware(bound: datetime) -> datetime:
    return bound if bound.tzinfo else bound.replace(tzinfo=UTC)
