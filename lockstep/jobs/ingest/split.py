"""A stretch of a source file that one task reads, its values untouched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl
from polars.exceptions import PanicException, PolarsError

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.records import parse_records
from lockstep.jobs.ingest.text import parse_text
from lockstep.lake.lake import Lake

FILE = "file"
ROW_NUMBER = "row_number"

Format = Literal["parquet", "text", "json"]


@dataclass(frozen=True)
class Split:
    """Rows of the file `key`: of text bytes [start, stop), else rows [start, stop).

    `columns` gives each declared name by the name in the file, in the file's order; `file`
    is the file's number in its source. Rows are numbered from 1 in their file.
    """

    lake: Lake
    key: str
    file: int
    format: Format
    columns: Mapping[str, str]
    start: int
    stop: int
    first_row: int
    last_row: int

    def read(self) -> pl.DataFrame:
        """The rows under their declared names, in order, with `file` and `row_number`.

        Raises:
            IngestError: they cannot be read as what the file is.
            LakeError: the file is gone.
        """
        match self.format:
            case "parquet":
                rows = self._parquet()
            case "json":
                rows = parse_records(self._path, self.lake.read_bytes(self.key))
            case "text":
                rows = self._text()
        numbers = pl.int_range(self.first_row, self.first_row + pl.len(), dtype=pl.Int64)
        return rows.rename(dict(self.columns)).with_columns(
            pl.lit(self.file, pl.Int64).alias(FILE), numbers.alias(ROW_NUMBER)
        )

    def _parquet(self) -> pl.DataFrame:
        try:
            rows = self.lake.scan_parquet([self.key]).slice(self.start, self.stop - self.start)
            return rows.collect()
        except (PolarsError, PanicException) as error:  # some corrupt pages make the reader panic
            raise IngestError.malformed(self._path, "parquet", error) from error

    def _text(self) -> pl.DataFrame:
        data = self.lake.read_range(self.key, self.start, self.stop)
        return parse_text(self._path, data, list(self.columns))

    @property
    def _path(self) -> str:
        return self.lake.address(self.key)
