"""An ingest into a lake that has something: merges, conflicts, rejected rows and receipts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from ingested_lake import NAMES, add, assert_as_of_one_ingest, assert_same_tables, stored
from raw_transactions import good_rows, spoiled, write_csv, write_parquet

from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake

REJECTED = "fraud/transactions_rejected"


def test_ingesting_again_changes_nothing(local_lake: Lake) -> None:
    rows = good_rows(9).with_columns(TX_AMOUNT=pl.Series([-1.0, *range(8)]))
    first, before = add(rows, local_lake), stored(local_lake)
    again = add(rows, local_lake)
    assert (first.accepted, first.already_there, first.rejected) == (8, 0, 1)
    assert (again.accepted, again.already_there, again.rejected) == (0, 8, 1)
    assert_same_tables(stored(local_lake), before)
    assert len(RejectedTable(local_lake, REJECTED).scan().collect()) == 1


def test_the_same_rows_in_another_form_are_already_there(local_lake: Lake, tmp_path: Path) -> None:
    add(good_rows(9), local_lake)
    path = write_csv(tmp_path / "same.csv", good_rows(9))
    assert ingest(ingest_spec(), path, lake=local_lake).already_there == 9


@pytest.mark.parametrize("pieces", [[[0, 1, 2], [3, 4]], [[8, 1, 5], [0, 2], [3, 4, 6, 7]]])
def test_a_lake_does_not_depend_on_how_rows_were_dealt_to_files(
    local_lake: Lake, pieces: list[list[int]]
) -> None:
    rows = good_rows(9)
    for piece in pieces:
        add(rows[piece], local_lake)
    assert_as_of_one_ingest(local_lake, rows[sorted(sum(pieces, []))])


def test_overlapping_files_count_what_was_there(local_lake: Lake) -> None:
    rows = good_rows(9)
    add(rows[:6], local_lake)
    receipt = add(rows[3:], local_lake)
    assert (receipt.accepted, receipt.already_there, receipt.rejected) == (3, 3, 0)
    assert len(stored(local_lake)[0]) == 9


@pytest.mark.parametrize(
    "change",
    [
        {"TX_AMOUNT": "0.01"},
        {"CUSTOMER_ID": "99"},
        {"TX_DATETIME": "2018-06-01 00:00:00"},
        {"TX_FRAUD": "1", "TX_FRAUD_SCENARIO": "3"},
    ],
)
def test_other_values_under_a_known_id_are_rejected(
    local_lake: Lake, tmp_path: Path, change: dict[str, str]
) -> None:
    add(good_rows(9), local_lake)
    before = stored(local_lake)
    path = write_csv(tmp_path / "changed.csv", spoiled(good_rows(9), 2, **change))
    receipt = ingest(ingest_spec(), path, lake=local_lake, max_rejected_share=0.2)
    assert (receipt.already_there, receipt.rejected_by_reason) == (8, {"conflicting_id": 1})
    assert RejectedTable(local_lake, REJECTED).scan().collect()["row_number"].to_list() == [3]
    assert_same_tables(stored(local_lake), before)


def test_another_label_delay_for_the_same_rows_is_refused(local_lake: Lake, tmp_path: Path) -> None:
    add(good_rows(9), local_lake)
    path = write_parquet(tmp_path / "same.parquet", good_rows(9))
    with pytest.raises(IngestError, match="conflicting_id in 9; .* same options as the first time"):
        ingest(ingest_spec(label_delay_days=3), path, lake=local_lake)


def test_an_ingest_that_finds_everything_there_keeps_the_receipt(local_lake: Lake) -> None:
    first, again = add(good_rows(3), local_lake), add(good_rows(3), local_lake)
    kept = local_lake.table(NAMES[0]).metadata()["ingests"][first.source_sha256[:16]]
    assert (kept["accepted"], again.accepted) == (3, 0)


def test_a_conflict_with_half_an_ingest_adds_to_neither_table(local_lake: Lake) -> None:
    rows = good_rows(3)
    add(rows, local_lake)
    transactions = local_lake.table(NAMES[0])
    transactions.drop_days(transactions.days())
    assert add(rows.with_columns(TX_FRAUD=1 - rows["TX_FRAUD"]), local_lake).rejected == 3
    assert transactions.days() == []
    assert add(rows, local_lake).accepted == 3


def test_files_keep_their_rejected_rows_apart(local_lake: Lake) -> None:
    first, second = (good_rows(2, first_id=n).with_columns(TX_FRAUD=2) for n in (0, 10))
    for rows in (first, second, first):
        add(rows, local_lake)
    kept = RejectedTable(local_lake, REJECTED).scan().collect()
    assert sorted(kept["transaction_id"].to_list()) == ["0", "1", "10", "11"]
    assert kept["source_file"].n_unique() == 2


def test_rows_that_are_no_longer_rejected_leave_the_side_table(local_lake: Lake) -> None:
    rows = good_rows(2)
    add(rows.with_columns(TX_AMOUNT=1.0), local_lake)
    assert add(rows, local_lake).rejected == 2
    for name in NAMES:
        table = local_lake.table(name)
        table.drop_days(table.days())
    assert add(rows, local_lake).rejected == 0
    with pytest.raises(LakeError, match="nothing was rejected so far"):
        RejectedTable(local_lake, REJECTED).scan()


def test_the_receipt_stands_in_the_metadata_beside_what_was_there(local_lake: Lake) -> None:
    for name in NAMES:
        local_lake.table(name).write_metadata({"horizon": "2018-04-01T00:00:00+00:00"})
    first, second = add(good_rows(9), local_lake), add(good_rows(3, first_id=50), local_lake)
    for name in (*NAMES, REJECTED):
        metadata = local_lake.table(name).metadata()
        assert ("horizon" in metadata) == (name in NAMES)
        ingests = [metadata["ingests"][receipt.source_sha256[:16]] for receipt in (first, second)]
        assert [one["rows_in"] for one in ingests] == [9, 3]


def test_only_days_with_new_rows_are_rewritten(local_lake: Lake) -> None:
    add(good_rows(9), local_lake)
    table = local_lake.table(NAMES[0])
    parts = {day: Path(local_lake.address(table.part(day))) for day in table.days()}
    before = {day: part.stat().st_ino for day, part in parts.items()}
    late = good_rows(10)[[0, 9]].with_columns(TRANSACTION_ID=pl.Series([0, 99]))
    assert add(late, local_lake).days_written["fraud/transactions"] == 1
    after = {day: part.stat().st_ino for day, part in parts.items()}
    assert [day for day in parts if before[day] != after[day]] == [date(2018, 4, 3)]


@pytest.mark.parametrize("day", [0, 1])
def test_a_broken_partition_stops_the_ingest_before_it_writes(local_lake: Lake, day: int) -> None:
    add(good_rows(9), local_lake)
    table = local_lake.table(NAMES[0])
    local_lake.write_bytes(table.part(table.days()[day]), b"PAR1 and nothing else")
    before = {part: part.stat().st_ino for part in Path(local_lake.uri).rglob("*")}
    with pytest.raises(LakeError, match="cannot be read as parquet"):
        add(good_rows(12), local_lake)
    assert {part: part.stat().st_ino for part in Path(local_lake.uri).rglob("*")} == before


def test_a_lake_of_an_older_version_is_refused(local_lake: Lake) -> None:
    add(good_rows(2), local_lake)
    table = local_lake.table(NAMES[0])
    for day in table.days():
        table.write_day(day, table.read_day(day).drop("is_deleted"))
    with pytest.raises(
        IngestError, match="transactions' has the columns .*, expected .*is_deleted"
    ):
        add(good_rows(3), local_lake)
