"""Each fault planted in a running system, and what the audit says of it: that cause, that often."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from audited_project import ANSWERED, FINISHED, TICK, Watched, bodies, watched
from feast.protos.feast.types.Value_pb2 import Value
from fraud_project import Project
from google.protobuf.timestamp_pb2 import Timestamp
from serving_client import END

from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.parity.audit_result import AuditResult
from lockstep.parity.causes import Cause
from lockstep.parity.hints import Hint
from lockstep.stores.feast_layout import feature_field
from lockstep.stores.redis_layout import event_field

# Just after the cut: no other step became known in between.
T = END + 2 * TICK
CUSTOMER, TERMINAL = "customer_windows", "terminal_windows"
MEAN = "customer_amount_cents_mean_30d"
COUNT = "customer_tx_count_30d"


@pytest.fixture
def system(project: Project, tmp_path: Path) -> Iterator[Watched]:
    with watched(project, tmp_path) as found:
        found.materialize(END)
        yield found


@pytest.fixture
def rows(project: Project) -> pl.DataFrame:
    """Transactions that are scored: each of a card of its own."""
    later = project.transactions.filter(pl.col("event_timestamp") > END)
    return later.unique("customer_id", keep="first", maintain_order=True).head(40)


def found(result: AuditResult, view: str | None = None) -> dict[Cause, int]:
    """The causes of vectors, or of one view, but for those that match."""
    (service,) = result.services
    told = service.causes if view is None else service.views.get(view, {})
    return {Cause(name): count for name, count in told.items() if name != Cause.MATCH}


def hinted(result: AuditResult) -> dict[str, int]:
    """What unexplained answers look like."""
    (service,) = result.services
    return dict(service.hints)


def first_with_mean(rows: pl.DataFrame, answers: list[dict[str, Any]]) -> int:
    """The first request whose card has a mean that float32 does not hold."""
    for place, answer in enumerate(answers):
        value = answer["features"][MEAN]["value"]
        if value is not None and struct.unpack("f", struct.pack("f", value))[0] != value:
            return place
    raise AssertionError(rows)


def test_without_a_fault_all_match(system: Watched, rows: pl.DataFrame) -> None:
    system.serve(bodies(rows, T))
    result = system.audit()
    assert (result.vectors, found(result), result.unchecked) == (40, {}, {})
    assert result.refusal(0.0) == ""


@pytest.mark.parametrize("zone", ["America/Santiago", "Asia/Kolkata"])
def test_a_machine_of_another_zone_changes_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Clocks in Santiago went back at 2018-05-13 03:00 UTC."""
    import time

    change = datetime.fromisoformat("2018-05-13T03:00:00+00:00")
    later = project.transactions.filter(pl.col("event_timestamp") > change).head(40)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with watched(project, tmp_path) as system:
            for hours in (-1, 0, 1):
                cut = change + timedelta(hours=hours)
                run = cut + timedelta(minutes=5)
                system.materialize(cut, started=run, finished=run)
                system.serve(bodies(later, cut + 2 * TICK), answered=run + timedelta(minutes=1))
            result = system.audit()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (result.vectors, found(result)) == (120, {})


def test_a_skipped_materialisation(system: Watched, rows: pl.DataFrame) -> None:
    t = END + timedelta(days=1)
    asked = bodies(rows, t)
    system.serve(asked, answered=t)
    result = system.audit()
    assert set(found(result)) == {Cause.NOT_YET_MATERIALISED}
    for spec in (CUSTOMER_WINDOWS, TERMINAL_WINDOWS):
        # A step that became known may have the values of the one before it.
        count = found(result, spec.name)[Cause.NOT_YET_MATERIALISED]
        assert 0 < count <= system.moved(spec, asked, END)
    assert result.refusal(0.0).endswith("of the vectors are stale, and 0.00% may be")
    assert result.refusal(1.0) == ""


@pytest.mark.parametrize(
    "cause", [Cause.LATE_EVENT, Cause.CORRECTED_SINCE, Cause.DELETED], ids=lambda c: c.name
)
def test_what_the_lake_has_learnt_since(system: Watched, rows: pl.DataFrame, cause: Cause) -> None:
    card = rows["customer_id"][3]
    fact = system.newest_fact("fraud/transactions", customer_id=card)
    created = pl.lit(END + TICK, pl.Datetime("us", "UTC")).alias("created_timestamp")
    gone = fact.with_columns(created, is_deleted=pl.lit(value=True))
    other = fact.with_columns(created, pl.col("amount_cents") + 100)
    late = other.with_columns(pl.col("transaction_id") + 10**9)
    added = {
        Cause.LATE_EVENT: late,
        Cause.CORRECTED_SINCE: pl.concat([gone, other]),
        Cause.DELETED: gone,
    }[cause]
    system.add_facts("fraud/transactions", added)
    system.serve(bodies(rows, T))
    result = system.audit()
    assert found(result) == {cause: 1}
    assert found(result, CUSTOMER) == {cause: 1}
    assert found(result, TERMINAL) == {}


def test_an_entity_that_redis_lost(system: Watched, rows: pl.DataFrame) -> None:
    assert system.redis.delete(system.hash_key(customer_id=rows["customer_id"][5])) == 1
    system.serve(bodies(rows, T))
    result = system.audit()
    assert found(result) == {Cause.MISSING_ENTITY: 1}
    assert "1 vectors have a fault" in result.refusal()


def test_a_redis_that_was_flushed(system: Watched, rows: pl.DataFrame) -> None:
    known = system.serve(bodies(rows, T))
    cards = sum(a["features"][COUNT]["status"] != "NOT_FOUND" for a in known)
    assert cards
    system.serve(bodies(rows, T), once_ready=system.redis.flushall)
    result = system.audit()
    assert found(result, CUSTOMER) == {Cause.MISSING_ENTITY: cards}
    assert set(found(result)) == {Cause.MISSING_ENTITY}


def test_a_value_of_a_narrower_type(system: Watched, rows: pl.DataFrame) -> None:
    place = first_with_mean(rows, system.serve(bodies(rows, T)))
    key = system.hash_key(customer_id=rows["customer_id"][place])
    field = feature_field(CUSTOMER, MEAN)
    held = Value.FromString(system.redis.hget(key, field))
    single = struct.unpack("f", struct.pack("f", held.double_val))[0]
    system.redis.hset(key, field, Value(double_val=single).SerializeToString())
    system.serve(bodies(rows, T), answered=ANSWERED + timedelta(minutes=1))
    result = system.audit()
    assert found(result) == {Cause.TYPE_OR_ROUNDING: 1}
    assert found(result, "transaction_features") == {Cause.TYPE_OR_ROUNDING: 1}


def test_a_value_that_was_altered(system: Watched, rows: pl.DataFrame) -> None:
    key = system.hash_key(customer_id=rows["customer_id"][0])
    field = feature_field(CUSTOMER, COUNT)
    held = Value.FromString(system.redis.hget(key, field))
    system.redis.hset(key, field, Value(int64_val=held.int64_val + 1).SerializeToString())
    system.serve(bodies(rows, T))
    result = system.audit()
    assert found(result) == {Cause.UNEXPLAINED: 1}
    assert found(result, CUSTOMER) == {Cause.UNEXPLAINED: 1}
    assert found(result, TERMINAL) == {}
    assert result.refusal() == "1 vectors differ without a cause"
    assert hinted(result) == {Hint.ALTERED: 1}


def test_entities_that_were_swapped(system: Watched, rows: pl.DataFrame) -> None:
    one, other = (system.hash_key(customer_id=rows["customer_id"][n]) for n in (0, 1))
    first, second = system.redis.hgetall(one), system.redis.hgetall(other)
    assert first != second
    system.redis.hset(one, mapping=second)
    system.redis.hset(other, mapping=first)
    system.serve(bodies(rows, T))
    result = system.audit()
    assert found(result) == {Cause.UNEXPLAINED: 2}
    assert found(result, CUSTOMER) == {Cause.UNEXPLAINED: 2}
    assert hinted(result) == {Hint.OTHER_ENTITY: 2}


def test_a_definition_that_was_edited(system: Watched, rows: pl.DataFrame) -> None:
    system.serve(bodies(rows, T))
    store = system.store
    view = store.get_feature_view(CUSTOMER)
    view.tags["window_spec"] = "other windows"
    store.apply([view])
    result = system.audit()
    assert found(result) == {Cause.DEFINITION_VERSION: 40}
    assert result.vectors == 40


def test_a_clock_of_the_api_that_is_hours_behind(system: Watched, rows: pl.DataFrame) -> None:
    """Its T is before steps that the store has, and by its own clock there was no run yet."""
    behind = END - timedelta(hours=3)
    told = [{n: v for n, v in body.items() if n != "event_timestamp"} for body in bodies(rows, T)]
    answers = system.serve(told, answered=behind)
    future = sum(
        any(f["status"] == "FUTURE" for f in a.get("features", {}).values()) or "errors" in a
        for a in answers
    )
    assert future
    result = system.audit()
    assert found(result) == {Cause.UNEXPLAINED: future}
    assert set(hinted(result)) == {Hint.NOT_BROUGHT}


def test_steps_that_were_written_with_a_local_time(system: Watched, rows: pl.DataFrame) -> None:
    """Two hours later than they are: at T they are of the future."""
    key = system.hash_key(customer_id=rows["customer_id"][0])
    held = Timestamp.FromString(system.redis.hget(key, event_field(CUSTOMER).decode()))
    hours = 2 + int((END.timestamp() - held.seconds) // 3600)
    held.seconds += hours * 3600
    system.redis.hset(key, event_field(CUSTOMER).decode(), held.SerializeToString())
    system.serve(bodies(rows, T))
    result = system.audit()
    assert found(result, CUSTOMER) == {Cause.UNEXPLAINED: 1}
    assert hinted(result) == {Hint.HOURS_OFF if hours <= 26 else Hint.UNKNOWN: 1}


def test_a_run_that_is_under_way(project: Project, rows: pl.DataFrame, tmp_path: Path) -> None:
    """Redis has what the run brings, and by the ledger it has not ended."""
    before = END - timedelta(days=1)
    asked = bodies(rows, T)
    with watched(project, tmp_path) as system:
        system.materialize(before, started=before, finished=before + timedelta(minutes=5))
        system.materialize(END, started=END, finished=END + timedelta(minutes=30))
        system.serve(asked, answered=END + timedelta(minutes=10))
        assert found(system.audit()) == {}
    with watched(project, tmp_path / "second") as system:
        system.materialize(before, started=before, finished=before + timedelta(minutes=5))
        # An answer from what there was before, logged just after the run had ended.
        system.serve(asked, answered=FINISHED + timedelta(seconds=2))
        system.materialize(END)
        result = system.audit()
    assert set(found(result)) == {Cause.IN_FLIGHT}
    assert (
        0
        < found(result, CUSTOMER)[Cause.IN_FLIGHT]
        <= system.moved(CUSTOMER_WINDOWS, asked, before)
    )


def test_a_run_that_broke_off(project: Project, rows: pl.DataFrame, tmp_path: Path) -> None:
    """What it has left in Redis is told from a fault: its beginning is on record."""
    before = END - timedelta(days=1)
    t = END - timedelta(hours=1)
    with watched(project, tmp_path) as system:
        system.materialize(before, started=before, finished=before + timedelta(minutes=5))
        system.materialize(END, started=END, finished=FINISHED)
        ledger = [k for k in system.lake.list("_ledger/") if k.endswith("Z.json")]
        system.lake.delete(key for key in ledger if f"{END:%Y%m%dT%H}" in key)
        system.serve(bodies(rows, t), answered=ANSWERED)
        result = system.audit()
    assert set(found(result)) == {Cause.IN_FLIGHT}
    assert [p for p in result.problems if "has no end" in p]


def test_a_ledger_of_which_nothing_is_left(system: Watched, rows: pl.DataFrame) -> None:
    """What differs is not called behind, since nothing says so."""
    t = END + timedelta(days=1)
    system.lake.delete(system.lake.list("_ledger/"))
    system.serve(bodies(rows, t), answered=t)
    result = system.audit()
    assert set(found(result)) == {Cause.UNEXPLAINED}
    assert any("no materialisation of customer_windows is on record" in p for p in result.problems)


def test_a_t_before_the_steps_that_the_store_has(system: Watched, rows: pl.DataFrame) -> None:
    t = END - timedelta(days=1)
    system.serve(bodies(rows, t))
    result = system.audit()
    assert set(found(result)) == {Cause.NEWER_STEP}
    for spec in (CUSTOMER_WINDOWS, TERMINAL_WINDOWS):
        newer = system.moved(spec, bodies(rows, END), t)
        assert found(result, spec.name) == {Cause.NEWER_STEP: newer}


def test_what_the_lake_is_not_built_for_is_not_called_the_same(
    system: Watched, rows: pl.DataFrame
) -> None:
    late = datetime.fromisoformat("2018-06-30T00:00:00+00:00")
    system.serve(bodies(rows, late), answered=late)
    result = system.audit()
    assert result.vectors == 0
    assert sum(result.unchecked.values()) == 40
    assert result.refusal() == "nothing was compared"


def test_a_time_to_live_that_has_passed(system: Watched, rows: pl.DataFrame) -> None:
    """The marts are of midnight and live for a day; the next ones were not materialised."""
    t = END + timedelta(hours=30)
    marts = ("customer_daily", "terminal_daily")
    entities = rows.select("customer_id", "terminal_id", pl.lit(t).alias("event_timestamp"))
    audit = system.auditing()
    result = audit.of_store(system.url, "fraud_daily_v1", entities, t)
    for view in marts:
        key = f"{view.removesuffix('_daily')}_id"
        steps = system.lake.table(f"fraud/{view}").scan().filter(pl.col("event_timestamp") <= t)
        newest = steps.group_by(key).agg(pl.col("event_timestamp").max()).collect()
        had = newest.filter(pl.col("event_timestamp") > END)
        held = steps.filter(pl.col("event_timestamp") <= END).select(key).unique().collect()
        both = entities.filter(
            pl.col(key).is_in(had[key].implode()), pl.col(key).is_in(held[key].implode())
        )
        assert both.height > 0
        assert found(result, view)[Cause.EXPIRED] == both.height
    assert set(found(result)) <= {Cause.EXPIRED, Cause.NOT_YET_MATERIALISED}


def test_a_null_that_became_a_default(system: Watched, rows: pl.DataFrame) -> None:
    """Somebody has put the declared default where the store had a null."""
    store = system.store
    service = store.get_feature_service("fraud_v1")
    service.tags["on_null"] = "0"
    store.apply([service])
    entities = rows.select("customer_id", "terminal_id", pl.lit(T).alias("event_timestamp"))
    audit = system.auditing()
    before = audit.of_store(system.url, "fraud_v1", entities, ANSWERED)
    assert found(before) == {}
    rate = "terminal_fraud_rate_1d"
    place, key = next(
        (place, key)
        for place, terminal in enumerate(rows["terminal_id"])
        for key in [system.hash_key(terminal_id=terminal)]
        if system.redis.exists(key)
        and not Value.FromString(system.redis.hget(key, feature_field(TERMINAL, rate))).HasField(
            "double_val"
        )
    )
    zero = Value(double_val=0.0).SerializeToString()
    system.redis.hset(key, feature_field(TERMINAL, rate), zero)
    result = system.auditing().of_store(system.url, "fraud_v1", entities, ANSWERED)
    same = rows.filter(pl.col("terminal_id") == rows["terminal_id"][place]).height
    assert found(result) == {Cause.NULL_POLICY: same}


def test_a_fault_of_the_build_is_in_both_stores_and_shows_in_sql(
    project: Project, tmp_path: Path, rows: pl.DataFrame
) -> None:
    """Both stores are filled from one table: they agree, and both are wrong."""
    total = "customer_amount_cents_sum_30d"
    customer = rows["customer_id"][0]
    with watched(project, tmp_path) as system:
        table = system.lake.table(CUSTOMER_WINDOWS.table)
        own = pl.col("customer_id") == customer
        for day in table.days():
            table.write_day(
                day,
                table.read_day(day).with_columns(
                    pl.when(own).then(pl.col(total) + 1).otherwise(total).alias(total)
                ),
            )
        system.materialize(END)
        system.serve(bodies(rows, T))
        result = system.audit()
        spec = {spec.name: spec.features() for spec in (CUSTOMER_WINDOWS, TERMINAL_WINDOWS)}
    assert found(result) == {}
    assert result.sql.differing == {f"{CUSTOMER}__{total}": 1}
    # Each feature of both views, and the time of the step, for each of the forty.
    assert result.sql.values == 40 * sum(len(features) + 1 for features in spec.values())
    assert result.refusal() == "1 values are not what SQL says of the raw events"
    (example,) = result.sql.examples
    assert (example.feature, example.joined) == (total, example.sql + 1)
