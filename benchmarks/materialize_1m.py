"""Row `materialize_1m`: newest rows of a million entities into Redis, corrections checked.

The limit is the same HSETs, encoded beforehand, sent on one connection, the replies
counted: what a client can reach that neither encodes nor compares.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import numpy as np
import polars as pl
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64, Int64
from hiredis import Reader
from redis import Redis

from benchmarks.row import Goal, Measurement
from benchmarks.timing import python, timed_run
from lockstep.lake.lake import Lake
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.row_commands import HashWrites
from lockstep.stores.view_table import ViewTable

ENTITIES = 1_000_000
RUNS = 3
T = datetime(2018, 5, 1, tzinfo=UTC)
_COUNTS, _MEANS = ("n_1d", "n_7d", "n_30d"), ("mean_1d", "mean_7d", "mean_30d")
_VIEW = FeatureView(
    name="entities",
    entities=[Entity(name="entity", join_keys=["entity_id"], value_type=ValueType.INT64)],
    ttl=timedelta(0),
    schema=[
        Field(name="entity_id", dtype=Int64),
        *(Field(name=name, dtype=Int64) for name in _COUNTS),
        *(Field(name=name, dtype=Float64) for name in _MEANS),
    ],
    source=FileSource(path="entities", timestamp_field="event_timestamp"),
)


def measure() -> Measurement:
    """Rows a second of each side on an empty Redis, by turns; our client's peak memory."""
    ours, limits, peaks = [], [], []
    with embedded_redis() as url, tempfile.TemporaryDirectory() as folder:
        for run in range(RUNS):
            for side, rates in (("ours", ours), ("limit", limits)):
                with Redis.from_url(url) as redis:
                    redis.flushall()
                out = Path(folder) / f"{side}{run}"
                arguments = ("-m", "benchmarks.materialize_1m", side, url, str(out))
                _, peak = timed_run(python(*arguments))
                rates.append(float(out.read_text()))
                if side == "ours":
                    peaks.append(peak)
    return Measurement(
        name="materialize_1m",
        ours=median(ours),
        limit=median(limits),
        unit="rows/s",
        rows=ENTITIES,
        goals=(Goal("ratio_to_limit", ">=", 0.7), Goal("peak_mb", "<=", 1500)),
        larger_is_better=True,
        extra={"peak_mb": median(peaks)},
    )


def _frame(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(5)
    seconds = random.integers(0, 30 * 86_400, rows)
    at = pl.Series(seconds * 1_000_000 + 1_522_540_800_000_000).cast(pl.Datetime("us", "UTC"))
    columns = {"entity_id": np.arange(rows)}
    columns |= {name: random.integers(0, 300, rows) for name in _COUNTS}
    columns |= {name: random.random(rows) * 1e4 for name in _MEANS}
    return pl.DataFrame(columns).with_columns(
        (at + timedelta(microseconds=1)).alias("event_timestamp"), at.alias("created_timestamp")
    )


def _ours(url: str) -> float:
    config = RepoConfig(
        project="bench",
        provider="local",
        registry="registry.db",
        online_store={"type": "lockstep.stores.online.LockstepOnlineStore", "redis_url": url},
        entity_key_serialization_version=3,
    )
    table, rows = ViewTable(_VIEW, Lake.at(".")), _frame(ENTITIES)
    started = time.perf_counter()
    count = LockstepOnlineStore().write_steps(config, _VIEW, table, rows)
    seconds = time.perf_counter() - started
    assert (count.written, count.older) == (ENTITIES, 0), count
    return ENTITIES / seconds


def _limit(url: str) -> float:
    rows, table = _frame(ENTITIES), ViewTable(_VIEW, Lake.at("."))
    made = [
        HashWrites.of_frame("bench", "entities", table, batch) for batch in rows.iter_slices(2000)
    ]
    batches = [(batch.commands, len(batch)) for batch in made]
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        started = time.perf_counter()
        _send(connection, batches)
        return ENTITIES / (time.perf_counter() - started)


def _send(connection: socket.socket, batches: list[tuple[bytes, int]]) -> None:
    """The next batch is sent before the replies to the last are read: Redis never waits."""
    reader, before = Reader(), 0
    for commands, count in [*batches, (b"", 0)]:
        connection.sendall(commands)
        while before:
            if reader.gets() is False:
                reader.feed(connection.recv(1 << 16))
            else:
                before -= 1
        before = count


if __name__ == "__main__":
    side, url, out = sys.argv[1:]
    Path(out).write_text(f"{_ours(url) if side == 'ours' else _limit(url)}\n")
