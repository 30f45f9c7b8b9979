"""What an ingest leaves in an empty lake: two tables in days, their times, and a receipt."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from ingested_lake import NAMES, add, stored
from polars.testing import assert_frame_equal
from raw_transactions import START, good_rows

from lockstep.lake.lake import Lake

UTC_MICROSECONDS = pl.Datetime("us", "UTC")
TRANSACTION_SCHEMA = {
    "transaction_id": pl.Int64(),
    "event_timestamp": UTC_MICROSECONDS,
    "created_timestamp": UTC_MICROSECONDS,
    "customer_id": pl.Int64(),
    "terminal_id": pl.Int64(),
    "amount_cents": pl.Int64(),
    "is_deleted": pl.Boolean(),
}
VERDICT_SCHEMA = {
    "transaction_id": pl.Int64(),
    "event_timestamp": UTC_MICROSECONDS,
    "created_timestamp": UTC_MICROSECONDS,
    "customer_id": pl.Int64(),
    "terminal_id": pl.Int64(),
    "transaction_timestamp": UTC_MICROSECONDS,
    "fraud": pl.Int64(),
    "fraud_scenario": pl.Int64(),
    "is_deleted": pl.Boolean(),
}


def test_transactions_hold_no_labels(local_lake: Lake) -> None:
    add(good_rows(9), local_lake)
    transactions, _ = stored(local_lake)
    assert transactions.schema == pl.Schema(TRANSACTION_SCHEMA)
    first = transactions.row(0, named=True)
    assert first["event_timestamp"] == first["created_timestamp"] == START.replace(tzinfo=UTC)
    assert (first["transaction_id"], first["amount_cents"]) == (0, 5_716)


@pytest.mark.parametrize("delay", [None, 0, 30])
def test_every_transaction_has_one_verdict_after_the_delay(
    local_lake: Lake, delay: int | None
) -> None:
    rows = good_rows(9)
    add(rows, local_lake, delay=delay)
    transactions, verdicts = stored(local_lake)
    assert verdicts.schema == pl.Schema(VERDICT_SCHEMA)
    later = timedelta(days=7 if delay is None else delay)
    assert_frame_equal(
        verdicts.select("transaction_id", "customer_id", "terminal_id", "transaction_timestamp"),
        transactions.select(
            "transaction_id", "customer_id", "terminal_id", "event_timestamp"
        ).rename({"event_timestamp": "transaction_timestamp"}),
    )
    assert (verdicts["event_timestamp"] == verdicts["transaction_timestamp"] + later).all()
    assert verdicts["created_timestamp"].equals(transactions["created_timestamp"])
    assert verdicts["fraud"].to_list() == rows["TX_FRAUD"].to_list()
    assert verdicts["fraud_scenario"].to_list() == rows["TX_FRAUD_SCENARIO"].to_list()


def test_each_table_is_partitioned_by_its_own_event_day(local_lake: Lake) -> None:
    add(good_rows(9), local_lake)
    for name, first in zip(NAMES, (date(2018, 4, 1), date(2018, 4, 8)), strict=True):
        table = local_lake.table(name)
        assert table.days() == [first + timedelta(days=n) for n in range(3)]
        for day in table.days():
            assert (table.read_day(day)["event_timestamp"].dt.date() == day).all()


def test_a_day_is_sorted_by_time_then_id(local_lake: Lake) -> None:
    tied = good_rows(20, hours_apart=0).sample(fraction=1, shuffle=True, seed=1)
    add(tied, local_lake)
    for table in stored(local_lake):
        assert table["transaction_id"].to_list() == list(range(20))


def test_created_times_are_the_files_own_where_it_has_them(local_lake: Lake) -> None:
    rows = good_rows(2).with_columns(
        Created_Timestamp=pl.Series([START + timedelta(days=1), START + timedelta(days=9)])
    )
    receipt = add(rows, local_lake)
    transactions, verdicts = stored(local_lake)
    assert receipt.created_time_from == "column"
    assert transactions["created_timestamp"].to_list() == [_utc(days=1), _utc(days=9)]
    # The first was created before it was known: a verdict that is on time, as others are.
    assert verdicts["created_timestamp"].to_list() == [_utc(days=1), _utc(days=9)]
    assert verdicts["event_timestamp"].to_list() == [_utc(days=7), _utc(days=7, hours=7)]


def test_without_created_times_the_receipt_says_so(local_lake: Lake) -> None:
    assert add(good_rows(2), local_lake).created_time_from == "event_time"


def test_the_receipt_names_the_days(local_lake: Lake) -> None:
    receipt = add(good_rows(9), local_lake)
    assert (receipt.first_day, receipt.last_day) == ("2018-04-01", "2018-04-03")
    assert receipt.days_written == {"fraud/verdicts": 3, "fraud/transactions": 3}


def _utc(*, days: int, hours: int = 0) -> datetime:
    return (START + timedelta(days=days, hours=hours)).replace(tzinfo=UTC)
