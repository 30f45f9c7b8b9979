"""One input file with its declared columns under their declared names, values untouched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.text import read_text

ROW_NUMBER = "row_number"

_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Source:
    """A file's rows as they stand in it, numbered from 1, and what identifies the file."""

    path: Path
    sha256: str
    rows: pl.DataFrame

    @property
    def key(self) -> str:
        """The short name of the content: the same bytes have the same key."""
        return source_key(self.sha256)


def source_key(sha256: str) -> str:
    """The first 16 digits: enough to tell the files of one lake apart."""
    return sha256[:16]


def read_source(path: Path, spec: IngestSpec) -> Source:
    """The file's rows in the columns of `spec` that it has.

    Raises:
        IngestError: the file is missing, malformed or empty, or its columns are not
            those that `spec` declares.
    """
    if not path.is_file():
        raise IngestError.no_file(path)
    if path.stat().st_size == 0:
        raise IngestError.empty(path)
    with path.open("rb") as file:
        is_parquet = file.read(4) == _PARQUET_MAGIC or path.suffix == ".parquet"
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    rows = _read_parquet(path) if is_parquet else _read_text(path, spec)
    rows = _declared(path, rows, spec)
    if rows.is_empty():
        raise IngestError.empty(path)
    return Source(path, sha256, rows.with_row_index(ROW_NUMBER, offset=1))


def _read_text(path: Path, spec: IngestSpec) -> pl.DataFrame:
    return read_text(path, known=spec.names, headerless=spec.headerless)


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, hive_partitioning=False)
    except (PolarsError, PanicException) as error:  # some corrupt pages make the reader panic
        raise IngestError.malformed(path, "parquet", error) from error


def _declared(path: Path, rows: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    """`rows` under lower-case names, once they are known to be the declared ones."""
    names = [name.strip().lower() for name in rows.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise IngestError.repeated_columns(path, repeated)
    unknown = [name for name in rows.columns if name.strip().lower() not in spec.names]
    if unknown:
        raise IngestError.unknown_columns(path, unknown, spec.names)
    missing = [name for name in spec.required if name not in names]
    if missing:
        raise IngestError.missing_columns(path, missing, rows.columns)
    return rows.rename(dict(zip(rows.columns, names, strict=True)))
