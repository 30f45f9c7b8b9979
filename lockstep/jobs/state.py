"""The window before a table's end: the source rows that later steps can still hold.

    <table>/_state.parquet   sorted by all of its columns: entity keys and times first

One snapshot, the newest. It saves an increment from reading and sorting that window; where
it does not fit (another end, another definition, missing, damaged), it is made again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from lockstep.lake.table import LakeTable

_STATE = "_state.parquet"
_OF = "lockstep"


def read_state(
    table: LakeTable, definition: Mapping[str, Any], end: datetime, schema: pl.Schema
) -> pl.DataFrame | None:
    """The snapshot of the window before `end`; None if there is none that fits."""
    if not table.lake.exists(table.key(_STATE)):
        return None
    data = io.BytesIO(table.lake.read_bytes(table.key(_STATE)))
    try:
        if pl.read_parquet_metadata(data).get(_OF) != _identity(definition, end):
            return None
        rows = pl.read_parquet(data)
    except PolarsError:
        return None
    return rows if rows.schema == schema else None


def write_state(
    table: LakeTable, definition: Mapping[str, Any], end: datetime, rows: pl.DataFrame
) -> None:
    """Makes `rows` the snapshot of the window before `end`."""
    metadata = {_OF: _identity(definition, end)}
    table.lake.write_parquet(table.key(_STATE), rows.rechunk(), metadata=metadata)


def drop_state(table: LakeTable) -> None:
    """Removes the snapshot, for who reads the window from the source."""
    table.lake.delete([table.key(_STATE)])


def _identity(definition: Mapping[str, Any], end: datetime) -> str:
    return json.dumps({"definition": definition, "end": end.isoformat()}, sort_keys=True)
