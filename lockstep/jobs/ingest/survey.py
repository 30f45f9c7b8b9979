"""What a source file is: its format, columns, rows and hash, and where it can be cut."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.parse import parse
from lockstep.jobs.ingest.records import is_json, parse_records
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.split import Format
from lockstep.jobs.ingest.stretch import Stretch
from lockstep.jobs.ingest.text import survey_text
from lockstep.lake.lake import Lake
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED

_PARQUET_MAGIC = b"PAR1"
_CHUNK_BYTES = 64 * 2**20
_ROWS_A_STRETCH = 1_000_000


@dataclass(frozen=True)
class Survey:
    """One file, read through once and not kept; `columns` are declared names by its own."""

    path: str
    file: str
    sha256: str
    format: Format
    columns: Mapping[str, str]
    stretches: tuple[Stretch, ...]

    @property
    def rows(self) -> int:
        """All rows of data."""
        return sum(stretch.rows for stretch in self.stretches)

    @property
    def has_created(self) -> bool:
        """Whether the rows have created times of their own."""
        return CREATED_TIMESTAMP in self.columns.values()


def survey(lake: Lake, file: str, spec: IngestSpec) -> Survey:
    """What the file is.

    Raises:
        IngestError: it is malformed, or its columns are not those that `spec` declares.
        LakeError: it is not there.
    """
    path, digest = lake.address(file), hashlib.sha256()
    chunks = _hashed(lake.read_chunks(file, _CHUNK_BYTES), digest)
    first = next(chunks, b"")
    if first.startswith(_PARQUET_MAGIC) or (first and file.endswith(".parquet")):
        schema, stretches = _survey_parquet(lake, file)
        format_: Format = "parquet"
    elif is_json(first):
        records = parse_records(path, lake.read_bytes(file))
        schema, format_ = records.schema, "json"
        stretches = [Stretch(0, records.height, records.height)]
    else:
        names, stretches = survey_text(
            path,
            chain([first], chunks),
            known=list(spec.declared_names),
            headerless=spec.headerless,
        )
        schema, format_ = pl.Schema(dict.fromkeys(names, pl.String())), "text"
    for _ in chunks:
        pass  # to the end, for the hash
    columns = _declared(path, schema.names(), spec)
    _check_types(path, schema, columns, spec)
    return Survey(path, file, digest.hexdigest(), format_, columns, tuple(stretches))


def _hashed(chunks: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _survey_parquet(lake: Lake, file: str) -> tuple[pl.Schema, list[Stretch]]:
    scan = lake.scan_parquet([file])
    try:
        schema, rows = scan.collect_schema(), int(scan.select(pl.len()).collect().item())
    except (PolarsError, PanicException) as error:
        raise IngestError.malformed(lake.address(file), "parquet", error) from error
    stops = [min(start + _ROWS_A_STRETCH, rows) for start in range(0, rows, _ROWS_A_STRETCH)]
    starts = [0, *stops]
    return schema, [Stretch(a, b, b - a) for a, b in zip(starts, stops, strict=False)]


def _declared(path: str, columns: list[str], spec: IngestSpec) -> dict[str, str]:
    """The declared name of each column, once all are known to be declared ones."""
    known = spec.declared_names
    lower_case = {column: column.strip().lower() for column in columns}
    names = {column: known.get(name, name) for column, name in lower_case.items()}
    lower = list(names.values())
    if repeated := sorted({name for name in lower if lower.count(name) > 1}):
        raise IngestError.repeated_columns(path, repeated)
    if unknown := [column for column, name in names.items() if name not in spec.names]:
        raise IngestError.unknown_columns(path, unknown, spec.names)
    required = [*spec.required, *([CREATED_TIMESTAMP] if DELETED in lower else [])]
    if missing := [name for name in required if name not in lower]:
        raise IngestError.missing_columns(path, missing, columns)
    return names


def _check_types(
    path: str, schema: pl.Schema, columns: Mapping[str, str], spec: IngestSpec
) -> None:
    types = {columns[column]: dtype for column, dtype in schema.items()}
    try:
        for column in spec.columns:
            if column.name in types:
                parse(column, types[column.name])
    except IngestError as error:
        raise IngestError.in_file(path, error) from error
