"""How a JSON list of flat records becomes columns."""

from __future__ import annotations

import polars as pl
from polars.exceptions import PanicException, PolarsError

from lockstep.jobs.ingest.errors import IngestError


def is_json(first: bytes) -> bool:
    """Whether a file that begins so is a JSON list."""
    return first.lstrip()[:1] == b"["


def parse_records(path: str, data: bytes) -> pl.DataFrame:
    """The records of a whole file, in order; a field that a record lacks is null.

    A list cannot be cut, so that the file is read at once: for large data use parquet.

    Raises:
        IngestError: it is no JSON list of records.
    """
    try:
        return pl.read_json(data, infer_schema_length=None)
    except (PolarsError, PanicException) as error:
        raise IngestError.malformed(path, "a JSON list of records", error) from error
