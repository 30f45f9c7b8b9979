"""A window worker over a real stream, beside a build of the same rows: the same bytes in Redis."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from feast_project import apply_definitions, make_project
from fraud_project import DAYS, START, Project
from redis import Redis

from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import CUSTOMER_WINDOWS
from feature_repo.windows.fraud_profile import CUSTOMER_PROFILE
from lockstep.contract.fraud_records import TRANSACTIONS
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stream.codec import Codec
from lockstep.stream.port import Outgoing, partitions_of
from lockstep.stream.redis_streams import RedisStreams
from lockstep.stream.seed import seeds
from lockstep.stream.window_worker import WindowJob, WindowWorker

CUT = START + timedelta(days=DAYS - 4)
END = START + timedelta(days=DAYS + 40)
PARTITIONS = 2
SPECS = (CUSTOMER_WINDOWS, CUSTOMER_PROFILE)
VIEWS = [spec.name for spec in SPECS]
TICK = timedelta(microseconds=1)


@dataclass
class MovingClock:
    instant: datetime

    def now(self) -> datetime:
        return self.instant


@dataclass
class Live:
    """A project whose online store stands at the cut, and a topic for what comes after it."""

    settings: Settings
    url: str
    streams: RedisStreams
    topic: str
    clock: MovingClock

    def worker(self) -> WindowWorker:
        store = open_feature_store(self.settings)
        lake = Lake.at(self.settings.lake)
        begin = seeds(lake, TRANSACTIONS, SPECS, PARTITIONS, until=CUT)
        job = WindowJob(
            self.topic,
            TRANSACTIONS,
            SPECS,
            [store.get_feature_view(name) for name in VIEWS],
            PARTITIONS,
            f"{self.topic}.dead",
        )
        online = LockstepOnlineStore(self.clock)
        return WindowWorker(
            job,
            self.streams,
            store,
            online,
            lake,
            self.clock,
            begin.__getitem__,
            checkpoint_seconds=10**9,
            settle_seconds=0.0,
        )

    def send(self, rows: pl.DataFrame, extra: Sequence[bytes] = ()) -> None:
        places = partitions_of(rows["customer_id"], PARTITIONS).tolist()
        payloads = Codec(TRANSACTIONS).encode(rows)
        sent = [*places, *[0] * len(extra)], [*payloads, *extra]
        self.streams.send([Outgoing(self.topic, *sent)])

    def drain(self, worker: WindowWorker, count: int) -> None:
        goal = worker.counts.records + count
        while worker.counts.records < goal:
            worker.step(wait_seconds=0.2)

    def hashes(self) -> dict[bytes, dict[bytes, bytes]]:
        return hashes(self.url)


def hashes(url: str) -> dict[bytes, dict[bytes, bytes]]:
    """All that Redis holds of entities."""
    with Redis.from_url(url) as redis:
        keys = [key for key in redis.keys("*customer_id*") if redis.type(key) == b"hash"]
        return {key: redis.hgetall(key) for key in keys}


@pytest.fixture
def live(
    project: Project, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Live]:
    monkeypatch.setenv("REDIS_URL", redis_url)
    settings = make_project(tmp_path)
    project.copy_lake(settings)
    store = apply_definitions(settings)
    store.materialize(START - timedelta(days=1), CUT - TICK, feature_views=VIEWS)
    streams = RedisStreams(redis_url)
    topic = f"t{uuid4().hex}"
    streams.create(topic, PARTITIONS)
    streams.create(f"{topic}.dead", 1)
    yield Live(settings, redis_url, streams, topic, MovingClock(CUT))
    streams.close()


@pytest.fixture
def arriving(project: Project) -> pl.DataFrame:
    rows = project.transactions.filter(pl.col("event_timestamp") >= CUT)
    assert rows.height > 300
    return rows


def built(live: Live, end: datetime, monkeypatch: pytest.MonkeyPatch) -> dict[bytes, object]:
    """What a materialisation of the whole build leaves in another Redis."""
    url = live.url.replace("/0", "/1")
    monkeypatch.setenv("REDIS_URL", url)
    with Redis.from_url(url) as redis:
        redis.flushdb()
    store = open_feature_store(live.settings)
    store.materialize(START - timedelta(days=1), end - TICK, feature_views=VIEWS)
    monkeypatch.setenv("REDIS_URL", live.url)
    return dict(hashes(url))


def newest(rows: pl.DataFrame) -> datetime:
    found = rows["event_timestamp"].max()
    assert isinstance(found, datetime)
    return found + 2 * TICK


def test_what_a_worker_leaves_is_what_a_build_leaves_to_the_byte(
    live: Live, arriving: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = live.worker()
    before = live.hashes()
    for batch in arriving.iter_slices(97):
        # Within ten minutes of one another in any order, and some twice.
        mixed = batch.sample(fraction=1.0, shuffle=True, seed=1)
        live.send(pl.concat([mixed, mixed.head(5)]))
        live.clock.instant = newest(batch)
        live.drain(worker, batch.height + min(5, batch.height))
    assert worker.counts.repeated >= 5 * (arriving.height // 97)
    assert worker.counts.refused == 0
    found = live.hashes()
    assert found != before
    assert found == built(live, newest(arriving), monkeypatch)
    worker.close()


def test_windows_empty_as_time_goes_by_without_a_record(
    live: Live, arriving: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = live.worker()
    live.send(arriving)
    live.clock.instant = newest(arriving)
    live.drain(worker, arriving.height)
    name = "customer_tx_count_1d"
    for days, emptied in ((0, False), (1, True)):
        live.clock.instant = newest(arriving) + timedelta(days=days)
        worker.step(wait_seconds=0.01)
        store = open_feature_store(live.settings)
        rows = [{"customer_id": c} for c in arriving["customer_id"].unique().to_list()]
        told = store.get_online_features([f"customer_windows:{name}"], rows).to_dict()
        assert (set(told[name]) == {0}) == emptied
    horizon = worker.online.horizon(store.config, store.get_feature_view("customer_windows"))
    assert horizon == live.clock.instant
    worker.close()


def test_a_worker_that_dies_anywhere_leaves_the_same_bytes(
    live: Live, arriving: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = live.worker()
    for n, batch in enumerate(arriving.iter_slices(60)):
        live.send(batch)
        live.clock.instant = newest(batch)
        worker.step(wait_seconds=0.2)
        if n % 3 == 1:
            worker.keep()
        if n % 4 == 2:
            # Nothing is said: the next one finds the checkpoint and what came since.
            worker._reader.close()
            worker = live.worker()
    while sum(worker.lag().values()) or not worker.counts.records:
        worker.step(wait_seconds=0.2)
        worker.keep()
    worker.step(wait_seconds=0.01)
    assert live.hashes() == built(live, newest(arriving), monkeypatch)
    worker.close()


def test_poison_is_set_aside_with_its_reason_and_stops_nothing(
    live: Live, arriving: pl.DataFrame
) -> None:
    worker = live.worker()
    good = arriving.head(50)
    other = good.head(1).with_columns(amount_cents=pl.lit(1, pl.Int64) + pl.col("amount_cents"))
    old = good.head(1).with_columns(
        transaction_id=pl.lit(10**12), event_timestamp=pl.lit(CUT - timedelta(hours=2))
    )
    live.send(good, [b"poison", b'{"transaction_id": 1}'])
    live.send(pl.concat([other.select(good.columns), old.select(good.columns)]))
    live.clock.instant = newest(good)
    live.drain(worker, 54)
    worker.close()
    assert worker.counts.refused == 4
    with Redis.from_url(live.url) as redis:
        letters = [json.loads(entry[b"r"]) for _, entry in redis.xrange(f"{live.topic}.dead:0")]
    told = {letter["reason"]: letter for letter in letters}
    assert len(letters) == len(told) == 4
    assert {letter["topic"] for letter in letters} == {live.topic}
    assert told["conflicting id"]["row"]["amount_cents"] == other["amount_cents"].item()
    assert told["too late"]["row"]["transaction_id"] == 10**12
    assert b64decode(told["6 bytes, and a record has 52"]["record"]) == b"poison"
    (missing,) = (reason for reason in told if "missing required field" in reason)
    assert b64decode(told[missing]["record"]) == b'{"transaction_id": 1}'
