"""Rows of a feature view as Feast hands them over, encoded for Redis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from lockstep.stores.feast_layout import entity_key, feature_field
from lockstep.stores.redis_layout import created_field, encode_time, event_field
from lockstep.windows.microseconds import microseconds

FeastRow = tuple[EntityKey, dict[str, Value], datetime, datetime | None]


@dataclass(frozen=True)
class OnlineRow:
    """One hash of one view, encoded. `version` orders corrections: event, then created."""

    key: bytes
    version: tuple[int, int]
    fields: dict[bytes, bytes]


def online_rows(project: str, view: str, rows: Iterable[FeastRow]) -> list[OnlineRow]:
    """Feast's rows, encoded. A naive time is UTC; no created time counts as the event's."""
    fields: dict[str, bytes] = {}
    encoded = []
    for key, values, event, created in rows:
        event_us = _microseconds(event)
        created_us = event_us if created is None else _microseconds(created)
        content = {
            event_field(view): encode_time(event_us),
            created_field(view): encode_time(created_us),
        }
        for name, value in values.items():
            if name not in fields:
                fields[name] = feature_field(view, name)
            content[fields[name]] = value.SerializeToString()
        encoded.append(OnlineRow(entity_key(project, key), (event_us, created_us), content))
    return encoded


def newest_of_each_key(rows: Iterable[OnlineRow]) -> list[OnlineRow]:
    """Of several rows with one key only the newest; among equals the last."""
    newest: dict[bytes, OnlineRow] = {}
    for row in rows:
        if row.key not in newest or row.version >= newest[row.key].version:
            newest[row.key] = row
    return list(newest.values())


def _microseconds(time: datetime) -> int:
    return microseconds(time if time.tzinfo else time.replace(tzinfo=UTC))
