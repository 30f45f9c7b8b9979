"""What an ingest leaves in the lake: tables, merges, conflicts, repairs and receipts."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from power_cut import PowerCutError, power_cut
from raw_transactions import START, good_rows, spoiled, write_csv, write_parquet

from feature_repo.windows.fraud import CUSTOMER_WINDOWS
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.run import ingest
from lockstep.jobs.source import open_source
from lockstep.lake.errors import LakeError
from lockstep.lake.facts import scan_facts
from lockstep.lake.lake import Lake
from lockstep.lake.stage import Stage

NAMES = ("fraud/transactions", "fraud/verdicts")
REJECTED = "fraud/transactions_rejected"
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


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def add(rows: pl.DataFrame, lake: Path, *, delay: int | None = None) -> IngestReceipt:
    """Ingests `rows` from a file beside the lake."""
    path = write_parquet(lake.parent / f"{rows.hash_rows().sum()}.parquet", rows)
    spec = ingest_spec(label_delay_days=delay)
    return ingest(spec, path, lake=Lake.at(lake), max_rejected_share=1.0)


def stored(lake: Path) -> list[pl.DataFrame]:
    """Every row of both tables, day after day."""
    return [Lake.at(lake).table(name).scan().collect() for name in NAMES]


def assert_same_lake(one: Path, other: Path) -> None:
    for left, right in zip(stored(one), stored(other), strict=True):
        assert_frame_equal(left, right)
    for name in NAMES:
        assert Lake.at(one).table(name).days() == Lake.at(other).table(name).days()


def test_transactions_hold_no_labels(lake: Path) -> None:
    add(good_rows(9), lake)
    transactions, _ = stored(lake)
    assert transactions.schema == pl.Schema(TRANSACTION_SCHEMA)
    first = transactions.row(0, named=True)
    assert first["event_timestamp"] == first["created_timestamp"] == START.replace(tzinfo=UTC)
    assert (first["transaction_id"], first["amount_cents"]) == (0, 5_716)


@pytest.mark.parametrize("delay", [None, 0, 30])
def test_every_transaction_has_one_verdict_after_the_delay(lake: Path, delay: int | None) -> None:
    rows = good_rows(9)
    add(rows, lake, delay=delay)
    transactions, verdicts = stored(lake)
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


def test_each_table_is_partitioned_by_its_own_event_day(lake: Path) -> None:
    add(good_rows(9), lake)
    for name, first in zip(NAMES, (date(2018, 4, 1), date(2018, 4, 8)), strict=True):
        table = Lake.at(lake).table(name)
        assert table.days() == [first + timedelta(days=n) for n in range(3)]
        for day in table.days():
            assert (table.read_day(day)["event_timestamp"].dt.date() == day).all()


def test_a_day_is_sorted_by_time_then_id(lake: Path) -> None:
    tied = good_rows(20, hours_apart=0).sample(fraction=1, shuffle=True, seed=1)
    add(tied, lake)
    for table in stored(lake):
        assert table["transaction_id"].to_list() == list(range(20))


def test_created_times_are_the_files_own_where_it_has_them(lake: Path) -> None:
    rows = good_rows(2).with_columns(
        Created_Timestamp=pl.Series([START + timedelta(days=1), START + timedelta(days=9)])
    )
    receipt = add(rows, lake)
    transactions, verdicts = stored(lake)
    assert receipt.created_time_from == "column"
    assert transactions["created_timestamp"].to_list() == [_utc(days=1), _utc(days=9)]
    # The first was created before it was known: a verdict that is on time, as others are.
    assert verdicts["created_timestamp"].to_list() == [_utc(days=1), _utc(days=9)]
    assert verdicts["event_timestamp"].to_list() == [_utc(days=7), _utc(days=7, hours=7)]


def test_without_created_times_the_receipt_says_so(lake: Path) -> None:
    assert add(good_rows(2), lake).created_time_from == "event_time"


def test_ingesting_again_changes_nothing(lake: Path) -> None:
    rows = good_rows(9).with_columns(TX_AMOUNT=pl.Series([-1.0, *range(8)]))
    first, before = add(rows, lake), stored(lake)
    again = add(rows, lake)
    assert (first.accepted, first.already_there, first.rejected) == (8, 0, 1)
    assert (again.accepted, again.already_there, again.rejected) == (0, 8, 1)
    for left, right in zip(stored(lake), before, strict=True):
        assert_frame_equal(left, right)
    assert len(RejectedTable(Lake.at(lake), REJECTED).scan().collect()) == 1


def test_the_same_rows_in_another_form_are_already_there(lake: Path) -> None:
    add(good_rows(9), lake)
    path = write_csv(lake.parent / "same.csv", good_rows(9))
    assert ingest(ingest_spec(), path, lake=Lake.at(lake)).already_there == 9


@pytest.mark.parametrize("pieces", [[[0, 1, 2], [3, 4]], [[8, 1, 5], [0, 2], [3, 4, 6, 7]]])
def test_a_lake_does_not_depend_on_how_rows_were_dealt_to_files(
    lake: Path, pieces: list[list[int]]
) -> None:
    rows = good_rows(9)
    for piece in pieces:
        add(rows[piece], lake)
    whole = lake.with_name("whole")
    add(rows[sorted(sum(pieces, []))], whole)
    assert_same_lake(lake, whole)


def test_overlapping_files_count_what_was_there(lake: Path) -> None:
    rows = good_rows(9)
    add(rows[:6], lake)
    receipt = add(rows[3:], lake)
    assert (receipt.accepted, receipt.already_there, receipt.rejected) == (3, 3, 0)
    assert len(stored(lake)[0]) == 9


@pytest.mark.parametrize(
    "change",
    [
        {"TX_AMOUNT": "0.01"},
        {"CUSTOMER_ID": "99"},
        {"TX_DATETIME": "2018-06-01 00:00:00"},
        {"TX_FRAUD": "1", "TX_FRAUD_SCENARIO": "3"},
    ],
)
def test_other_values_under_a_known_id_are_rejected(lake: Path, change: dict[str, str]) -> None:
    add(good_rows(9), lake)
    before = stored(lake)
    path = write_csv(lake.parent / "changed.csv", spoiled(good_rows(9), 2, **change))
    receipt = ingest(ingest_spec(), path, lake=Lake.at(lake), max_rejected_share=0.2)
    assert (receipt.already_there, receipt.rejected_by_reason) == (8, {"conflicting_id": 1})
    assert RejectedTable(Lake.at(lake), REJECTED).scan().collect()["row_number"].to_list() == [3]
    for left, right in zip(stored(lake), before, strict=True):
        assert_frame_equal(left, right)


def test_another_label_delay_for_the_same_rows_is_refused(lake: Path) -> None:
    add(good_rows(9), lake)
    path = write_parquet(lake.parent / "same.parquet", good_rows(9))
    with pytest.raises(IngestError, match="conflicting_id in 9; .* same options as the first time"):
        ingest(ingest_spec(label_delay_days=3), path, lake=Lake.at(lake))


@pytest.mark.parametrize("writes", range(15))
def test_the_same_command_repairs_an_interrupted_one(lake: Path, writes: int) -> None:
    rows = good_rows(14)
    add(rows[:4], lake)
    path = write_parquet(lake.parent / "rest.parquet", rows[2:])
    with pytest.raises(PowerCutError), power_cut(writes):
        ingest(ingest_spec(), path, lake=Lake.at(lake))
    receipt = ingest(ingest_spec(), path, lake=Lake.at(lake))
    assert receipt.accepted + receipt.already_there == 12
    whole = lake.with_name("whole")
    add(rows, whole)
    assert_same_lake(lake, whole)


@pytest.mark.parametrize("writes", range(5, 12))
def test_an_ingest_of_something_else_completes_a_committed_one(lake: Path, writes: int) -> None:
    rows = good_rows(14)
    path = write_parquet(lake.parent / "first.parquet", rows[:6])
    with pytest.raises(PowerCutError), power_cut(writes):
        ingest(ingest_spec(), path, lake=Lake.at(lake))
    add(rows[6:], lake)
    whole = lake.with_name("whole")
    add(rows, whole)
    assert_same_lake(lake, whole)
    assert len(Lake.at(lake).table(NAMES[0]).metadata()["ingests"]) == 2


@pytest.mark.parametrize("writes", range(5, 12))
def test_half_an_ingest_is_not_read(lake: Path, writes: int) -> None:
    """Between the commit and the last merge some days have the new facts and others do not."""
    add(good_rows(4), lake)
    path = write_parquet(lake.parent / "rest.parquet", good_rows(14))
    with pytest.raises(PowerCutError), power_cut(writes):
        ingest(ingest_spec(), path, lake=Lake.at(lake))
    table = Lake.at(lake).table(NAMES[0])
    committed = Stage.unmerged(table)
    with pytest.raises(LakeError, match="under way or broke off") if committed else nullcontext():
        assert len(table.collect(scan_facts(table))) == 4
    with pytest.raises(LakeError, match="under way or broke off") if committed else nullcontext():
        assert open_source(Lake.at(lake), CUSTOMER_WINDOWS).footers
    add(good_rows(1), lake)
    assert len(table.collect(scan_facts(table))) == (14 if committed else 4)


def test_an_ingest_that_finds_everything_there_keeps_the_receipt(lake: Path) -> None:
    first, again = add(good_rows(3), lake), add(good_rows(3), lake)
    kept = Lake.at(lake).table(NAMES[0]).metadata()["ingests"][first.source_sha256[:16]]
    assert (kept["accepted"], again.accepted) == (3, 0)


def test_a_conflict_with_half_an_ingest_adds_to_neither_table(lake: Path) -> None:
    rows = good_rows(3)
    add(rows, lake)
    transactions = Lake.at(lake).table(NAMES[0])
    transactions.drop_days(transactions.days())
    assert add(rows.with_columns(TX_FRAUD=1 - rows["TX_FRAUD"]), lake).rejected == 3
    assert transactions.days() == []
    assert add(rows, lake).accepted == 3


def test_files_keep_their_rejected_rows_apart(lake: Path) -> None:
    first, second = (good_rows(2, first_id=n).with_columns(TX_FRAUD=2) for n in (0, 10))
    for rows in (first, second, first):
        add(rows, lake)
    kept = RejectedTable(Lake.at(lake), REJECTED).scan().collect()
    assert sorted(kept["transaction_id"].to_list()) == ["0", "1", "10", "11"]
    assert kept["source_file"].n_unique() == 2


def test_rows_that_are_no_longer_rejected_leave_the_side_table(lake: Path) -> None:
    rows = good_rows(2)
    add(rows.with_columns(TX_AMOUNT=1.0), lake)
    assert add(rows, lake).rejected == 2
    for name in NAMES:
        table = Lake.at(lake).table(name)
        table.drop_days(table.days())
    assert add(rows, lake).rejected == 0
    with pytest.raises(LakeError, match="nothing was rejected so far"):
        RejectedTable(Lake.at(lake), REJECTED).scan()


def test_the_receipt_stands_in_the_metadata_beside_what_was_there(lake: Path) -> None:
    for name in NAMES:
        Lake.at(lake).table(name).write_metadata({"horizon": "2018-04-01T00:00:00+00:00"})
    first, second = add(good_rows(9), lake), add(good_rows(3, first_id=50), lake)
    for name in (*NAMES, REJECTED):
        metadata = Lake.at(lake).table(name).metadata()
        assert ("horizon" in metadata) == (name in NAMES)
        assert [metadata["ingests"][r.source_sha256[:16]]["rows_in"] for r in (first, second)] == [
            9,
            3,
        ]


def test_the_receipt_names_the_days(lake: Path) -> None:
    receipt = add(good_rows(9), lake)
    assert (receipt.first_day, receipt.last_day) == ("2018-04-01", "2018-04-03")
    assert receipt.days_written == {"fraud/verdicts": 3, "fraud/transactions": 3}


def test_only_days_with_new_rows_are_rewritten(lake: Path) -> None:
    add(good_rows(9), lake)
    table = Lake.at(lake).table(NAMES[0])
    parts = {day: lake / table.part(day) for day in table.days()}
    before = {day: part.stat().st_ino for day, part in parts.items()}
    late = good_rows(10)[[0, 9]].with_columns(TRANSACTION_ID=pl.Series([0, 99]))
    assert add(late, lake).days_written["fraud/transactions"] == 1
    after = {day: part.stat().st_ino for day, part in parts.items()}
    assert [day for day in parts if before[day] != after[day]] == [date(2018, 4, 3)]


@pytest.mark.parametrize("day", [0, 1])
def test_a_broken_partition_stops_the_ingest_before_it_writes(lake: Path, day: int) -> None:
    add(good_rows(9), lake)
    table = Lake.at(lake).table(NAMES[0])
    broken = lake / table.part(table.days()[day])
    broken.write_bytes(b"PAR1 and nothing else")
    before = {part: part.stat().st_ino for part in lake.rglob("*")}
    with pytest.raises(LakeError, match="cannot be read as parquet"):
        add(good_rows(12), lake)
    assert {part: part.stat().st_ino for part in lake.rglob("*")} == before


def _utc(*, days: int, hours: int = 0) -> datetime:
    return (START + timedelta(days=days, hours=hours)).replace(tzinfo=UTC)


def test_a_lake_of_an_older_version_is_refused(lake: Path) -> None:
    add(good_rows(2), lake)
    table = Lake.at(lake).table(NAMES[0])
    for day in table.days():
        table.write_day(day, table.read_day(day).drop("is_deleted"))
    with pytest.raises(
        IngestError, match="transactions' has the columns .*, expected .*is_deleted"
    ):
        add(good_rows(3), lake)
