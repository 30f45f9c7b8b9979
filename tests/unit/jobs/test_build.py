"""The local runner: what stands in the lake after a build, and after one that fails."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lockstep.contract.clock import FixedClock
from lockstep.jobs.build import BuildReceipt, build
from lockstep.jobs.errors import BuildError
from lockstep.jobs.local import LocalEngine
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.windows.errors import EventsError
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.steps import steps

T0 = datetime(2018, 4, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
COUNT = (Aggregation("count", what="tx"), Aggregation("sum", "value"))
PAYMENTS = WindowSpec("pay_windows", "bank/payments", "card", ("key",), ("1d", "2d"), COUNT)
REFUNDS = WindowSpec("refund_windows", "bank/refunds", "card", ("key",), ("1d",), COUNT)


def write_events(lake: Path, source: str, *events: tuple[int, float, float]) -> pl.DataFrame:
    """Events as (key, hours after T0, hours of delay until created), by day in the lake."""
    rows = pl.DataFrame(
        [(key, T0 + at * HOUR, T0 + (at + late) * HOUR, 1) for key, at, late in events],
        schema={
            "key": pl.Int64,
            "event_timestamp": pl.Datetime("us", "UTC"),
            "created_timestamp": pl.Datetime("us", "UTC"),
            "value": pl.Int64,
        },
        orient="row",
    )
    for (day,), part in rows.group_by(pl.col("event_timestamp").dt.date()):
        Lake.at(lake).table(source).write_day(day, part)
    return rows


def built(lake: Path, *specs: WindowSpec, end: datetime | None = None) -> list[BuildReceipt]:
    clock = FixedClock(NOW)
    return build(Lake.at(lake), specs, end=end, clock=clock, progress=lambda what, share: None)


def test_a_step_stands_in_the_day_on_which_it_became_final(tmp_path: Path) -> None:
    events = write_events(tmp_path, "bank/payments", (1, 1, 0), (2, 2, 50), (1, 72, 0))
    (receipt,) = built(tmp_path, PAYMENTS)
    table = Lake.at(tmp_path).table("bank/pay_windows")
    assert table.days() == [date(2018, 4, day) for day in (1, 2, 3, 4)]
    for day in table.days():
        rows = table.read_day(day)
        final = rows.select(pl.max_horizontal("event_timestamp", "created_timestamp")).to_series()
        assert set(final.dt.date()) == {day}
    order = ["key", "event_timestamp", "created_timestamp"]
    expected = steps(events, PAYMENTS, end=T0 + 72 * HOUR + 2 * TICK)
    assert_frame_equal(table.scan().collect().sort(order), expected)
    assert receipt.steps == expected.height
    assert (receipt.rows_in, receipt.entities, receipt.days) == (3, 2, 4)


def test_the_horizon_is_just_after_the_newest_event(tmp_path: Path) -> None:
    write_events(tmp_path, "bank/payments", (1, 10, 0))
    built(tmp_path, PAYMENTS)
    table = Lake.at(tmp_path).table("bank/pay_windows")
    assert table.horizon() == T0 + 10 * HOUR + 2 * TICK
    assert table.scan().collect()["event_timestamp"].to_list() == [T0 + 10 * HOUR + TICK]


def test_what_becomes_known_later_than_now_is_not_built(tmp_path: Path) -> None:
    write_events(tmp_path, "bank/payments", (1, 10, 0), (1, 24 * 365 * 20, 0))
    built(tmp_path, PAYMENTS)
    assert Lake.at(tmp_path).table("bank/pay_windows").horizon() == NOW


def test_a_smaller_build_drops_the_days_behind_its_end(tmp_path: Path) -> None:
    write_events(tmp_path, "bank/payments", (1, 1, 0), (1, 72, 0))
    built(tmp_path, PAYMENTS)
    built(tmp_path, PAYMENTS, end=T0 + 30 * HOUR)
    assert Lake.at(tmp_path).table("bank/pay_windows").days()[-1] == date(2018, 4, 2)


def test_far_years_keep_their_days(tmp_path: Path) -> None:
    far = 24 * 365 * 50
    write_events(tmp_path, "bank/payments", (1, far, 0))
    receipts = build(
        Lake.at(tmp_path),
        [PAYMENTS],
        clock=FixedClock(T0 + (far + 24) * HOUR),
        progress=lambda what, share: None,
    )
    (day,) = Lake.at(tmp_path).table("bank/pay_windows").days()
    assert day == (T0 + far * HOUR).date()
    assert receipts[0].steps == 1


@pytest.mark.parametrize("problem", ["no table", "too early", "bad type", "corrupt"])
def test_a_build_that_fails_leaves_every_table_as_it_was(tmp_path: Path, problem: str) -> None:
    write_events(tmp_path, "bank/payments", (1, 1, 0), (1, 72, 0))
    refunds = write_events(tmp_path, "bank/refunds", (1, 50, 0))
    built(tmp_path, PAYMENTS, REFUNDS)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*windows*/**/*") if p.is_file()}
    source = Lake.at(tmp_path).table("bank/refunds")
    error: type[Exception] = LakeError
    end = None
    if problem == "no table":
        source.drop_days(source.days())
    elif problem == "too early":
        error, end = BuildError, T0 + 2 * HOUR
    elif problem == "bad type":
        error = EventsError
        source.write_day(source.days()[0], refunds.with_columns(pl.col("value") / 2.0))
    else:
        source.lake.write_bytes(source.part(source.days()[0]), b"PAR1, but not parquet")
    with pytest.raises(error):
        built(tmp_path, PAYMENTS, REFUNDS, end=end)
    assert {p: p.read_bytes() for p in before} == before


def test_an_end_in_the_future_is_refused(tmp_path: Path) -> None:
    write_events(tmp_path, "bank/payments", (1, 1, 0))
    with pytest.raises(BuildError, match=r"--end 2026-01-02 00:00 is in the future"):
        built(tmp_path, PAYMENTS, end=NOW + timedelta(days=1))


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    write_events(tmp_path, "bank/payments", *((key, key, 0) for key in range(60)))
    shares: list[float] = []
    build(
        Lake.at(tmp_path),
        [PAYMENTS],
        clock=FixedClock(NOW),
        progress=lambda what, share: shares.append(share),
        engine=partial(LocalEngine, most_steps=50),
    )
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)
    assert len(set(shares)) > 6


def test_a_receipt_is_kept_for_every_build(tmp_path: Path) -> None:
    write_events(tmp_path, "bank/payments", (1, 1, 0), (2, 2, 50), (1, 72, 0))
    lake, receipts = Lake.at(tmp_path), []
    for hours in (60, 80):
        receipts += build(
            lake,
            [PAYMENTS],
            end=T0 + hours * HOUR,
            clock=FixedClock(NOW + hours * HOUR),
            progress=lambda what, share: None,
        )
    kept = [json.loads(lake.read_bytes(key)) for key in lake.list("bank/pay_windows/_receipts/")]
    assert kept == [receipt.as_json() for receipt in receipts]
    assert lake.table("bank/pay_windows").metadata()["build"] == kept[-1]
    last = receipts[-1]
    assert (last.rows_in, last.entities, last.late) == (3, 2, {"on_time": 2, "under_7d": 1})
    assert last.start is None
    assert last.bytes == sum(
        len(lake.read_bytes(key)) for key in lake.list("bank/pay_windows/day=")
    )
    assert receipts[0].content_hash != last.content_hash
