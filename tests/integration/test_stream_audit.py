"""Vectors that were served while a worker kept the windows fresh, audited by its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from audited_project import FINISHED, Watched, bodies, watched
from fraud_project import Project
from serving_client import END

from feature_repo.windows.fraud import CUSTOMER_WINDOWS
from lockstep.contract.fraud_records import TRANSACTIONS
from lockstep.parity.causes import Cause
from lockstep.stores.ledger import ledger_folder
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.stream_ledger import streamed
from lockstep.stream.codec import Codec
from lockstep.stream.port import Outgoing, partitions_of
from lockstep.stream.redis_streams import RedisStreams
from lockstep.stream.seed import seeds
from lockstep.stream.window_worker import WindowJob, WindowWorker

VIEW = "customer_windows"
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


@dataclass
class SteppingClock:
    """Stands still until it is set; a little later with each look."""

    instant: datetime

    def now(self) -> datetime:
        self.instant += TICK
        return self.instant


@dataclass
class LiveSystem:
    """A system whose customers' windows come from a stream, the terminals' from END."""

    system: Watched
    streams: RedisStreams
    topic: str
    clock: SteppingClock
    sent: datetime

    def worker(self) -> WindowWorker:
        store, lake = self.system.store, self.system.lake
        begin = seeds(lake, TRANSACTIONS, [CUSTOMER_WINDOWS], 2, until=END)
        view = store.get_feature_view(VIEW)
        job = WindowJob(self.topic, TRANSACTIONS, [CUSTOMER_WINDOWS], [view], 2, "dead")
        return WindowWorker(
            job,
            self.streams,
            store,
            LockstepOnlineStore(self.clock),
            lake,
            self.clock,
            begin.__getitem__,
            checkpoint_seconds=10**9,
            settle_seconds=0.0,
        )

    def send_until(self, at: datetime) -> pl.DataFrame:
        """Sends what is known before `at`, and sets the clock to it."""
        facts = self.system.lake.table("fraud/transactions").scan().collect()
        event = pl.col("event_timestamp")
        rows = facts.filter(event >= self.sent, event < at).select(TRANSACTIONS.names)
        places = partitions_of(rows["customer_id"], 2).tolist()
        self.streams.send([Outgoing(self.topic, places, Codec(TRANSACTIONS).encode(rows))])
        self.sent = self.clock.instant = at
        return rows

    def ask(self, rows: pl.DataFrame) -> None:
        """Asks for so many transactions as they would be now, and logs the answers."""
        at = self.clock.instant
        self.system.serve(bodies(rows, at), answered=at)

    def causes(self) -> tuple[dict[Cause, int], dict[str, int]]:
        """How many vectors have each cause, and how many of the stream's view."""
        found = self.system.audit()
        (service,) = found.services
        return dict(found.causes), dict(service.views[VIEW])


@pytest.fixture
def live(
    project: Project, tmp_path: Path, redis_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LiveSystem]:
    with watched(project, tmp_path) as system:
        monkeypatch.setenv("REDIS_URL", system.url)
        system.materialize(END)
        streams = RedisStreams(redis_server)
        topic = f"t{uuid4().hex}"
        streams.create(topic, 2)
        streams.create("dead", 1)
        yield LiveSystem(system, streams, topic, SteppingClock(FINISHED), END)
        streams.close()


def drain(worker: WindowWorker) -> None:
    """Takes all that is there, and its expiries."""
    while worker.step(wait_seconds=0.2):
        pass


def test_in_step_with_the_worker_everything_that_comes_from_the_stream_matches(
    live: LiveSystem,
) -> None:
    worker, asked = live.worker(), 0
    for hours in (1, 5, 9):
        rows = live.send_until(FINISHED + hours * HOUR).tail(20)
        drain(worker)
        live.ask(rows)
        asked += rows.height
    worker.close()
    causes, of_view = live.causes()
    assert of_view == {Cause.MATCH.value: asked}
    assert causes.keys() <= {Cause.MATCH, Cause.NOT_YET_MATERIALISED}
    assert sum(causes.values()) == asked


def test_behind_a_worker_that_lags_vectors_are_stale_and_never_unexplained(
    live: LiveSystem,
) -> None:
    worker = live.worker()
    live.send_until(FINISHED + HOUR)
    drain(worker)
    rows = live.send_until(FINISHED + 6 * HOUR).unique("customer_id", keep="last")
    # It has not read these: each customer has one more transaction than Redis knows of.
    live.ask(rows)
    drain(worker)
    live.clock.instant = FINISHED + 6 * HOUR + timedelta(minutes=1)
    live.ask(rows)
    worker.close()
    causes, of_view = live.causes()
    assert of_view == {
        Cause.NOT_YET_MATERIALISED.value: rows.height,
        Cause.MATCH.value: rows.height,
    }
    assert causes.get(Cause.UNEXPLAINED, 0) == 0


def behind(live: LiveSystem) -> tuple[WindowWorker, int]:
    """Asks when the worker has written some of what is known, and not the rest."""
    worker = live.worker()
    early = live.send_until(FINISHED + 12 * HOUR)
    drain(worker)
    rows = live.send_until(FINISHED + 23 * HOUR)
    asked = rows.filter(pl.col("customer_id").is_in(early["customer_id"].implode()))
    asked = asked.unique("customer_id", keep="last")
    live.ask(asked)
    assert asked.height > 5
    return worker, asked.height


def test_what_a_worker_wrote_before_it_was_killed_is_in_flight(live: LiveSystem) -> None:
    worker, asked = behind(live)
    # Nothing is said any more: its batches are on record as begun alone.
    worker._reader.close()
    (broken,) = streamed(live.system.lake, "lockstep", VIEW).broken
    assert broken.started > END
    _, of_view = live.causes()
    assert of_view == {Cause.IN_FLIGHT.value: asked}


def test_a_value_that_no_step_has_is_unexplained_also_where_a_worker_was_killed(
    live: LiveSystem,
) -> None:
    worker, asked = behind(live)
    worker._reader.close()
    lake, (key,) = live.system.lake, live.system.lake.list("fraud/served_features/")
    told = pl.read_parquet(lake.read_bytes(key))
    name = "customer_windows__customer_tx_count_30d"
    lake.write_parquet(key, told.with_columns(pl.col(name) + 1))
    _, of_view = live.causes()
    assert of_view == {Cause.UNEXPLAINED.value: asked}


def test_without_the_streams_ledger_what_it_wrote_is_unexplained(live: LiveSystem) -> None:
    worker, asked = behind(live)
    worker.close()
    _, of_view = live.causes()
    assert of_view == {Cause.NOT_YET_MATERIALISED.value: asked}
    lake = live.system.lake
    lake.delete([k for k in lake.list(ledger_folder("lockstep", VIEW)) if ".stream" in k])
    _, of_view = live.causes()
    assert of_view == {Cause.UNEXPLAINED.value: asked}


def test_a_damaged_record_is_a_problem_and_explains_nothing(live: LiveSystem) -> None:
    worker = live.worker()
    rows = live.send_until(FINISHED + 5 * HOUR).unique("customer_id", keep="last")
    drain(worker)
    live.ask(rows)
    worker.close()
    lake = live.system.lake
    (key,) = [k for k in lake.list(ledger_folder("lockstep", VIEW)) if k.endswith(".stream.json")]
    lake.write_bytes(key, lake.read_bytes(key)[:-40])
    found = live.system.audit()
    assert any(key.rpartition("/")[2] in problem for problem in found.problems)
    assert not found.is_whole


def test_a_stream_that_some_partitions_record_says_so(live: LiveSystem) -> None:
    worker = live.worker()
    live.send_until(FINISHED + HOUR)
    drain(worker)
    worker.close()
    lake = live.system.lake
    found = streamed(lake, "lockstep", VIEW)
    assert (found.problems, found.broken) == ((), ())
    assert [run.covered_end for run in found.runs] == sorted(r.covered_end for r in found.runs)
    (key,) = [k for k in lake.list(ledger_folder("lockstep", VIEW)) if k.endswith(".stream.json")]
    told = lake.read_bytes(key)
    lake.write_bytes(key, told.replace(b'"partitions": [0, 1]', b'"partitions": [0]'))
    part = streamed(lake, "lockstep", VIEW)
    assert part.runs == ()
    assert "some of its partitions only" in part.problems[0]
