"""Parity while the API serves: what is logged is audited as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from audited_project import ANSWERED, TICK, Watched, bodies, watched
from feast.protos.feast.types.Value_pb2 import Value
from fraud_project import Project
from serving_client import END

from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import FixedClock
from lockstep.parity.audit import Audit
from lockstep.parity.audit_result import last_audit, last_look
from lockstep.parity.causes import Cause
from lockstep.parity.watch import ParityWatch
from lockstep.stores.feast_layout import feature_field

T = END + 2 * TICK
WINDOW = timedelta(minutes=15)
COUNT = "customer_tx_count_30d"


@pytest.fixture
def system(project: Project, tmp_path: Path) -> Iterator[Watched]:
    with watched(project, tmp_path) as found:
        found.materialize(END)
        yield found


@pytest.fixture
def rows(project: Project) -> pl.DataFrame:
    """Transactions of cards of their own."""
    later = project.transactions.filter(pl.col("event_timestamp") > END)
    return later.unique("customer_id", keep="first", maintain_order=True).head(30)


@dataclass
class Time:
    """The time of a watch, for tests to move."""

    now: datetime = ANSWERED


def watching(system: Watched, time: Time | None = None, most: int = 100) -> ParityWatch:
    clock = time or Time()

    def opened() -> Audit:
        return Audit(system.store, system.lake, "fraud", WINDOW_SPECS, FixedClock(clock.now))

    return ParityWatch(opened, most, WINDOW)


def test_each_vector_is_looked_at_once_and_told_of_for_a_while(
    system: Watched, rows: pl.DataFrame
) -> None:
    time = Time()
    watch = watching(system, time)
    assert (watch.look().vectors, watch.look().vectors) == (0, 0)
    system.serve(bodies(rows.head(10), T))
    first = watch.look()
    assert (first.causes, first.sql.vectors) == ({Cause.MATCH: 10}, 10)
    assert watch.look().causes == {Cause.MATCH: 10}
    time.now += timedelta(minutes=10)
    system.serve(bodies(rows.tail(20), T), answered=time.now)
    assert watch.look().causes == {Cause.MATCH: 30}
    # Ten minutes later the first ten are beyond the window, in the account as in the log.
    time.now += timedelta(minutes=10)
    kept = watch.look()
    assert (kept.causes, kept.sql.vectors) == ({Cause.MATCH: 20}, 20)
    assert last_look(system.lake, "fraud") == kept
    assert last_audit(system.lake, "fraud") is None


def test_a_value_altered_in_redis_is_an_audit_that_the_gate_sees(
    system: Watched, rows: pl.DataFrame
) -> None:
    watch = watching(system)
    system.serve(bodies(rows, T))
    assert watch.look().refusal() == ""
    key = system.hash_key(customer_id=rows["customer_id"][0])
    wrong = Value(int64_val=99_999).SerializeToString()
    system.redis.hset(key, feature_field("customer_windows", COUNT), wrong)
    system.serve(bodies(rows, T))
    assert watch.look().causes == {Cause.MATCH: 59, Cause.UNEXPLAINED: 1}
    kept = last_audit(system.lake, "fraud")
    assert kept is not None
    assert (kept.vectors, kept.refusal()) == (30, "1 vectors differ without a cause")


def test_what_is_ahead_of_the_build_waits_and_is_not_called_the_same(
    system: Watched, rows: pl.DataFrame
) -> None:
    built = min(system.lake.table(spec.table).horizon() for spec in WINDOW_SPECS)
    watch = watching(system, most=25)
    system.serve(bodies(rows, built))
    account = watch.look()
    assert account.vectors == 0
    assert sum(account.unchecked.values()) == 25
    assert account.refusal() == "nothing was compared"
    for spec in WINDOW_SPECS:
        table = system.lake.table(spec.table)
        later = (built + TICK).isoformat()
        table.write_metadata(table.metadata() | {"horizon": later})
    account = watch.look()
    assert (account.vectors, account.unchecked) == (25, {})
    assert set(account.causes) <= {Cause.MATCH, Cause.NOT_YET_MATERIALISED}


def test_the_newest_are_looked_at_where_more_were_logged(
    system: Watched, rows: pl.DataFrame
) -> None:
    watch = watching(system, most=7)
    system.serve(bodies(rows, T))
    assert watch.look().causes == {Cause.MATCH: 7}
    assert watch.look().vectors == 7


def test_redis_is_asked_for_entities_that_nobody_asked_for(
    system: Watched, rows: pl.DataFrame
) -> None:
    auditing = system.auditing()
    result = auditing.of_online(system.url, ["fraud_v1"], 50)
    views = len(auditing._services["fraud_v1"].views.stored)
    assert (result.vectors, result.causes) == (50 * views, {Cause.MATCH: 50 * views})
    assert (result.unchecked, result.sql.mismatches) == ({}, 0)
    every = auditing.of_online(system.url, ["fraud_v1"], 10**6)
    wrong = Value(int64_val=99_999).SerializeToString()
    key = system.hash_key(customer_id=rows["customer_id"][0])
    system.redis.hset(key, feature_field("customer_windows", COUNT), wrong)
    result = system.auditing().of_online(system.url, ["fraud_v1"], 10**6)
    assert result.causes == {Cause.MATCH: every.vectors - 1, Cause.UNEXPLAINED: 1}


def test_a_flushed_redis_is_found_without_a_request(system: Watched) -> None:
    system.redis.flushdb()
    result = system.auditing().of_online(system.url, ["fraud_v1"], 20)
    assert set(result.causes) == {Cause.MISSING_ENTITY}
    assert result.refusal().endswith("vectors have a fault")
