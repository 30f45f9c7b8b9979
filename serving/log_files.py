"""The feature log's objects after the fact: many small ones become one a day, old days go.

<use case>/served_features/<service>/day=2026-11-22/<unique>.parquet
<use case>/predictions/day=2026-11-22/<unique>.parquet
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from lockstep.contract.served_log import DAY, FEATURES, PREDICTIONS
from lockstep.lake.lake import Lake
from serving.errors import LogDayError
from serving.log_tables import repeating

_DAY = f"/{DAY}"
# What a compacted object is called; its schema's metadata name the objects that it holds.
_WHOLE = "whole-"
_HOLDS = b"lockstep.holds"
_BATCH_ROWS = 64_000


@dataclass(frozen=True)
class CompactedDay:
    """What stood in so many objects stands in one now; 1 where nothing had to be done."""

    folder: str
    objects: int
    rows: int


def compact(lake: Lake, use_case: str, *, before: date) -> Iterator[CompactedDay]:
    """Makes one object of each day before that one, oldest first; says what was done.

    The new object is there, whole, before the old ones go, and names them: after a run that was
    killed in between, which leaves rows twice, the next one deletes what is held already. Rows
    keep their order by object. A day that is still written to must not be among them.

    Raises:
        LogDayError: objects of one day have columns of different types.
        LakeError: the lake refuses it, or another run has been faster; no row is lost or doubled.
    """
    for folder, keys in sorted(_days(lake, use_case, before).items()):
        if len(keys) < 2:
            yield CompactedDay(folder, len(keys), 0)
            continue
        left = _without_held(lake, keys)
        if len(left) < 2:
            yield CompactedDay(folder, len(keys), 0)
            continue
        yield CompactedDay(folder, len(left), _merged(lake, folder, left))


def expire(lake: Lake, use_case: str, *, before: date) -> list[str]:
    """The folders of days before that one, which are gone now, oldest first.

    Raises:
        LakeError: the lake refuses it; what was deleted by then stays so.
    """
    days = _days(lake, use_case, before)
    for folder in sorted(days):
        lake.delete(days[folder])
    return sorted(days)


def _days(lake: Lake, use_case: str, before: date) -> dict[str, list[str]]:
    """The log's objects by their day's folder, of days before that one."""
    found: dict[str, list[str]] = {}
    for place in (FEATURES, PREDICTIONS):
        for key in lake.list(f"{use_case}/{place}/"):
            folder, _, _ = key.rpartition("/")
            _, marked, day = folder.rpartition(_DAY)
            if marked and key.endswith(".parquet") and date.fromisoformat(day) < before:
                found.setdefault(folder, []).append(key)
    return found


def _without_held(lake: Lake, keys: Sequence[str]) -> list[str]:
    """The objects but for those that another one holds already, which are deleted."""
    wholes = [key for key in keys if key.rpartition("/")[2].startswith(_WHOLE)]
    held = {name for key in wholes for name in _held_by(lake, key)}.intersection(keys)
    lake.delete(sorted(held))
    return sorted(set(keys) - held)


def _held_by(lake: Lake, key: str) -> list[str]:
    metadata = _opened(lake, key).schema_arrow.metadata or {}
    return list(json.loads(metadata.get(_HOLDS, b"[]")))


def _merged(lake: Lake, folder: str, keys: Sequence[str]) -> int:
    """How many rows stand in the one object that takes the place of these."""
    schemas = [_opened(lake, key).schema_arrow.remove_metadata() for key in keys]
    try:
        schema = pa.unify_schemas(schemas)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise LogDayError.other_types(lake.address(folder), error) from error
    rows = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal rows
        for key in keys:
            for batch in _opened(lake, key).iter_batches(_BATCH_ROWS):
                rows += batch.num_rows
                yield _with_columns(pa.table(batch), schema).replace_schema_metadata(
                    {_HOLDS: json.dumps(keys)}
                )

    # Named after what it holds: two runs at once write the same object.
    name = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    whole = f"{folder}/{_WHOLE}{name}.parquet"
    lake.write_parquet_batches(whole, tables(), repeating=repeating(schema.empty_table()))
    lake.delete(keys)
    return rows


def _opened(lake: Lake, key: str) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(lake.read_bytes(key)))


def _with_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `schema`, in its order; those it lacks are null."""
    columns = [
        table.column(field.name)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
