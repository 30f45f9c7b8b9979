"""Rows of a feature view on their way into Redis: the newest version wins, whoever is first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from lockstep.stores.redis_connection import RedisClient
from lockstep.stores.redis_layout import (
    created_field,
    decode_time,
    encode_time,
    entity_key,
    event_field,
    feature_field,
)
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


def write_newest(client: RedisClient, view: str, rows: Sequence[OnlineRow]) -> int:
    """Writes the rows that are not older than what Redis holds; returns how many.

    Of several rows with one key only the newest counts, among equals the last. An equal
    version is written again: a table without created times may have been corrected.
    """
    newest: dict[bytes, OnlineRow] = {}
    for row in rows:
        if row.key not in newest or row.version >= newest[row.key].version:
            newest[row.key] = row
    stored = _stored_versions(client, view, list(newest))
    current = [r for r, old in zip(newest.values(), stored, strict=True) if r.version >= old]
    with client.pipeline(transaction=False) as pipe:
        for row in current:
            pipe.execute_command("HSET", row.key, *chain.from_iterable(row.fields.items()))
        pipe.execute()
    return len(current)


def _stored_versions(
    client: RedisClient, view: str, keys: Sequence[bytes]
) -> list[tuple[float, float]]:
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.execute_command("HMGET", key, event_field(view), created_field(view))
        return [_version(event, created) for event, created in pipe.execute()]


def _version(event: bytes | None, created: bytes | None) -> tuple[float, float]:
    """What is stored; before everything where nothing is. Feast's own rows have no created."""
    if event is None:
        return (float("-inf"), float("-inf"))
    event_us = decode_time(event)
    return (event_us, event_us if created is None else decode_time(created))


def _microseconds(time: datetime) -> int:
    return microseconds(time if time.tzinfo else time.replace(tzinfo=UTC))
