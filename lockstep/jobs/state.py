"""The window before a table's end: the source rows that later steps can still hold.

    <table>/_state.parquet   sorted by all of its columns: entity keys and times first

One snapshot, the newest. It saves an increment from reading and sorting that window; where
it does not fit (another end, another definition, missing, damaged), it is made again. Its
footer names the versions of the source partitions that it was taken from: those replaced
since are compared with it, so that a backfill behind an increment is seen.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from lockstep.lake.table import LakeTable

_STATE = "_state.parquet"
_OF = "lockstep"
_FROM = "lockstep_source"


@dataclass(frozen=True)
class State:
    """The rows of the window, and the versions of the partitions that they stood in."""

    rows: pl.DataFrame
    versions: Mapping[date, str]


def read_state(
    table: LakeTable, definition: Mapping[str, Any], end: datetime, schema: pl.Schema
) -> State | None:
    """The snapshot of the window before `end`; None if there is none that fits."""
    if not table.lake.exists(table.key(_STATE)):
        return None
    data = io.BytesIO(table.lake.read_bytes(table.key(_STATE)))
    try:
        known = pl.read_parquet_metadata(data)
        if known.get(_OF) != _identity(definition, end):
            return None
        rows = pl.read_parquet(data)
    except PolarsError:
        return None
    versions = json.loads(known[_FROM]) if _FROM in known else {}
    of_days = {date.fromisoformat(day): version for day, version in versions.items()}
    return State(rows, of_days) if rows.schema == schema else None


def write_state(
    table: LakeTable, definition: Mapping[str, Any], end: datetime, state: State
) -> None:
    """Makes `state` the snapshot of the window before `end`."""
    versions = {str(day): version for day, version in sorted(state.versions.items())}
    metadata = {_OF: _identity(definition, end), _FROM: json.dumps(versions)}
    table.lake.write_parquet(table.key(_STATE), state.rows.rechunk(), metadata=metadata)


def drop_state(table: LakeTable) -> None:
    """Removes the snapshot, for who reads the window from the source."""
    table.lake.delete([table.key(_STATE)])


def _identity(definition: Mapping[str, Any], end: datetime) -> str:
    return json.dumps({"definition": definition, "end": end.isoformat()}, sort_keys=True)
