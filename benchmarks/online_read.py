"""What the rows `online_read_*` measure: two views of six features, read by entity ids.

Ours is `BlockingReader.vectors`: floats in the model's order, statuses at T, the horizons
of the views once a second. The peer is Feast's SDK over its own Redis store, the very
same hashes. The limit is the HMGETs of ours, encoded beforehand, sent and parsed by hiredis
and nothing else.
"""

from __future__ import annotations

import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from feast import FeatureService, FeatureStore, RepoConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from hiredis import Reader

from benchmarks.row import Goal, Measurement
from benchmarks.timing import alternating
from feature_repo.definitions.fraud import customer, customer_windows, terminal, terminal_windows
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.stores import feature_vectors
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.feature_vectors import FeatureVectors
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.online_reader import BlockingReader
from lockstep.stores.plan_compiler import read_plan
from lockstep.stores.read_plan import ReadPlan
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import VALID_UNTIL

PROJECT = "bench"
ENTITIES = 5_000
T = datetime(2018, 5, 1, tzinfo=UTC)
_VIEWS = {
    view: [name for name in spec.features() if "_sum_" not in name]
    for view, spec in ((customer_windows, CUSTOMER_WINDOWS), (terminal_windows, TERMINAL_WINDOWS))
}
_SERVICE = FeatureService(
    name="bench", features=[view[features] for view, features in _VIEWS.items()]
)


@dataclass(frozen=True)
class Sides:
    """One request each, for the same entities."""

    ours: Callable[[], FeatureVectors]
    peer: Callable[[], Any]
    limit: Callable[[], None]


def measure(name: str, rows: int, *, times_faster: float, requests: int) -> Measurement:
    """Median milliseconds of a request for `rows` entities; the sides take turns."""
    with sides(rows) as all_sides:
        timed = [
            partial(_milliseconds, side)
            for side in (all_sides.ours, all_sides.peer, all_sides.limit)
        ]
        timed.append(partial(_uncompiled, timed[0]))
        alternating(3, *timed)
        ours, peer, limit, uncompiled = alternating(requests, *timed)
    return Measurement(
        name=name,
        ours=ours,
        peer=peer,
        limit=limit,
        unit="ms",
        rows=rows,
        goals=(Goal("ratio_to_peer", ">=", times_faster), Goal("ratio_to_limit", ">=", 1 / 2.2)),
        extra={"uncompiled_ms": uncompiled},
    )


@contextmanager
def sides(rows: int) -> Iterator[Sides]:
    """The three ways to ask one Redis for `rows` entities."""
    entities = [{"customer_id": i, "terminal_id": i} for i in _sample(rows)]
    with tempfile.TemporaryDirectory() as folder, embedded_redis() as url:
        _fill(url, Path(folder))
        store = FeatureStore(config=_config(Path(folder), _redis(url)))
        store.apply([customer, terminal, *_VIEWS, _SERVICE])
        service = store.get_feature_service("bench")
        plan = read_plan(
            PROJECT, list(_VIEWS), {view.name: features for view, features in _VIEWS.items()}
        )
        reader = BlockingReader(url, plan)
        at = [microseconds(T)] * rows
        with _Bare.connected(url, plan, entities) as bare:
            yield Sides(
                lambda: reader.vectors(entities, at),
                lambda: store.get_online_features(features=service, entity_rows=entities),
                bare.ask,
            )
        reader.close()


def _sample(rows: int) -> list[int]:
    return random.Random(7).sample(range(ENTITIES), rows)


@dataclass(frozen=True)
class _Bare:
    """A socket, hiredis, and what to send."""

    connection: socket.socket
    data: bytes
    replies: int

    @classmethod
    @contextmanager
    def connected(cls, url: str, plan: ReadPlan, rows: list[dict[str, int]]) -> Iterator[_Bare]:
        asked = [key.command(row) for row in rows for key in plan.keys]
        address = urlsplit(url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield cls(connection, b"".join(asked), len(asked))

    def ask(self) -> None:
        self.connection.sendall(self.data)
        reader, left = Reader(), self.replies
        while left:
            reader.feed(self.connection.recv(1 << 16))
            while reader.gets() is not False:
                left -= 1


def _milliseconds(request: Callable[[], Any]) -> float:
    started = time.perf_counter()
    request()
    return (time.perf_counter() - started) * 1000


def _uncompiled(timed: Callable[[], float]) -> float:
    """The same without the compiled reader of cells: every row is left to Python."""
    with patch.object(feature_vectors, "fill", lambda answers, t_us, *_: range(len(t_us))):
        return timed()


def _fill(url: str, folder: Path) -> None:
    """Rows as a build makes them: counts, means that are null for an empty window, steps."""
    store, random_ = LockstepOnlineStore(), random.Random(3)
    config = _config(
        folder, {"type": "lockstep.stores.online.LockstepOnlineStore", "redis_url": url}
    )
    for view, features in _VIEWS.items():
        rows = [_row(i, view.join_keys[0], features, random_) for i in range(ENTITIES)]
        store.online_write_batch(config, view, rows, None)
        store.advance_horizon(config, view, T)


def _row(entity_id: int, key: str, features: list[str], random_: random.Random) -> tuple[Any, ...]:
    at = datetime.fromtimestamp(T.timestamp() - random_.randrange(30 * 86_400), UTC)
    values = {VALID_UNTIL: Value(int64_val=microseconds(T) + random_.randrange(10**12))}
    for feature in features:
        is_mean = "mean" in feature or "rate" in feature
        number = Value(double_val=random_.random() * 1e4) if is_mean else None
        empty = is_mean and random_.random() < 0.2
        values[feature] = Value() if empty else number or Value(int64_val=random_.randrange(300))
    key_message = EntityKey(join_keys=[key], entity_values=[Value(int64_val=entity_id)])
    return (key_message, values, at.replace(microsecond=1), at)


def _config(folder: Path, online_store: dict[str, str]) -> RepoConfig:
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=online_store,
        entity_key_serialization_version=3,
    )


def _redis(url: str) -> dict[str, str]:
    return {"type": "redis", "connection_string": urlsplit(url).netloc}
