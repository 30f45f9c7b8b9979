"""Served rows into the lake: converted once, then written as often as it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import uuid4

import numpy as np
import pyarrow as pa
import structlog

from lockstep.contract.served_log import DAY, FEATURES, features_folder, predictions_folder
from lockstep.lake.lake import Lake
from serving.log_tables import DAY_US, LogTables, repeating
from serving.served_rows import LogSchema, ServedRows

# Enough to find two or three bad batches among five thousand.
_TRIES = 64

_log = structlog.get_logger(__name__)

_Logged = set[tuple[str, str, str]]


class _Object(NamedTuple):
    """One object to be; its key is made once, so that a second try replaces the first."""

    key: str
    table: pa.Table


class LogWriter:
    """Keeps what `add` was given until `write` has written all of it; for one thread.

        <lake>/fraud/served_features/fraud_v1/day=2026-11-22/<unique>.parquet
        <lake>/fraud/predictions/day=2026-11-22/<unique>.parquet

    Days are those of the log time, UTC. Every object is new and appears whole. Scan
    `**/*.parquet`: on some systems a half of one is there too, called `.<unique>.tmp`.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._gathered: dict[str, list[pa.Table]] = {}
        self._objects: list[_Object] = []
        self._logged: _Logged = set()

    def add(self, batches: Sequence[ServedRows]) -> int:
        """Converts the rows and returns how many could not be: those are lost, with a warning.

        A request has its features once, though several models of a service bring them in this
        call or in two that follow each other: joined by request id no prediction is doubled.
        """
        logged: _Logged = set()
        kept = 0
        for schema, day, group in _groups(batches):
            for tables in _converted(schema, group):
                ids = [(schema.use_case, schema.feature_service, id) for id in tables.request_ids]
                new = _first_places(ids, logged, self._logged)
                features = tables.features
                if len(new) < len(ids):
                    features = features.take(pa.array(new, pa.int64()))
                folder = features_folder(schema.use_case, schema.feature_service)
                self._gather(folder, day, features)
                self._gather(predictions_folder(schema.use_case), day, tables.predictions)
                kept += len(ids)
        self._logged = logged
        return sum(map(len, batches)) - kept

    def write(self) -> None:
        """Returns when all that was added is in the lake; what is not yet stays for a next call.

        Raises:
            LakeError: the lake refuses it.
            OSError: the disk does.
        """
        # Predictions come last: whoever sees one finds its features.
        folders = sorted(self._gathered, key=lambda folder: f"/{FEATURES}/" not in folder)
        self._objects += [_object(folder, self._gathered.pop(folder)) for folder in folders]
        while self._objects:
            key, table = self._objects[0]
            self._lake.write_parquet_batches(key, [table], repeating=repeating(table))
            del self._objects[0]

    def _gather(self, folder: str, day: int, table: pa.Table) -> None:
        if table.num_rows:
            place = f"{folder}/{DAY}{np.datetime64(day, 'D')}"
            self._gathered.setdefault(place, []).append(table)


def _groups(batches: Sequence[ServedRows]) -> Iterator[tuple[LogSchema, int, list[ServedRows]]]:
    """Batches of one schema and day (since 1970), in the order in which they came."""
    # Equal schemas are one; hashing each of them would take as long as writing a row.
    distinct = {id(rows.schema): rows.schema for rows in batches}
    equal: dict[LogSchema, LogSchema] = {}
    known = {key: equal.setdefault(schema, schema) for key, schema in distinct.items()}
    groups: dict[tuple[int, int], list[ServedRows]] = {}
    for rows in batches:
        key = id(known[id(rows.schema)]), rows.logged_us // DAY_US
        groups.setdefault(key, []).append(rows)
    for (_, day), group in groups.items():
        yield known[id(group[0].schema)], day, group


def _converted(schema: LogSchema, batches: Sequence[ServedRows]) -> Iterator[LogTables]:
    """Tables of all batches but those that cannot be converted, which are found by halving.

    Not for ever: where very many are bad, good ones beside them are lost too.
    """
    pieces, lost, tries = [batches], 0, 0
    why: Exception | None = None
    while pieces:
        piece, tries = pieces.pop(), tries + 1
        try:
            tables = LogTables.of(schema, piece)
        except Exception as error:  # noqa: BLE001  whatever a batch holds, the others are logged
            if len(piece) > 1 and tries < _TRIES:
                middle = len(piece) // 2
                pieces += [piece[middle:], piece[:middle]]
            else:
                lost, why = lost + sum(map(len, piece)), error
        else:
            yield tables
    if why:
        _log.warning("served rows cannot be logged", why=str(why), rows=lost, exc_info=why)


def _first_places(
    ids: Sequence[tuple[str, str, str]], logged: _Logged, before: _Logged
) -> list[int]:
    """Where ids stand for the first time; adds them to `logged`."""
    places = []
    for place, request in enumerate(ids):
        if request not in logged and request not in before:
            places.append(place)
        logged.add(request)
    return places


def _object(folder: str, tables: Sequence[pa.Table]) -> _Object:
    return _Object(f"{folder}/{uuid4().hex}.parquet", pa.concat_tables(tables).combine_chunks())
