"""Corrections and deletions: what the tables say at every instant, whatever files arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, timedelta
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from fact_files import START, TRANSACTIONS, VERDICTS, add, facts, files, partitions
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_oracle import Fact, Oracle, Row
from power_cut import PowerCutError, power_cut

from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.lake.facts import live_rows
from lockstep.lake.lake import Lake

some = settings(max_examples=20)
PLAIN = Row(id=1, event=5, created=1, amount=7, fraud=0)


@contextmanager
def new_lake() -> Iterator[Lake]:
    with TemporaryDirectory() as folder:
        yield Lake.at(Path(folder) / "lake")


def outcomes(receipt: IngestReceipt) -> Counter[str]:
    """The receipt's counts under the oracle's words."""
    return Counter(dict(receipt.rejected_by_reason)) + Counter(
        inserted=receipt.accepted - receipt.corrections - receipt.deletions,
        corrected=receipt.corrections,
        deleted=receipt.deletions,
        there=receipt.already_there,
    )


def known_to(oracle: Oracle) -> dict[int, list[Fact]]:
    return {id_: known for id_, known in oracle.facts.items() if known}


@some
@given(st.lists(files, min_size=1, max_size=4))
def test_any_files_leave_the_facts_that_the_rules_give(sequence: list[list[Row]]) -> None:
    oracle = Oracle()
    with new_lake() as lake:
        for rows in sequence:
            assert outcomes(add(rows, lake)) == Counter(oracle.ingest(rows))
        assert facts(lake) == known_to(oracle)


@some
@given(st.lists(files, min_size=1, max_size=3), st.data())
def test_at_every_instant_the_live_rows_are_those_not_taken_back(
    sequence: list[list[Row]], data: st.DataObject
) -> None:
    hours = data.draw(st.integers(0, 100)) + 7 * 24 * data.draw(st.integers(0, 1))
    instant = START.replace(tzinfo=UTC) + timedelta(hours=hours)
    with new_lake() as lake:
        for rows in sequence:
            add(rows, lake)
        for name in (TRANSACTIONS, VERDICTS) if lake.table(TRANSACTIONS).days() else ():
            said, live = lake.table(name).scan(), ["transaction_id", "event_timestamp"]
            happened = pl.max_horizontal("event_timestamp", "created_timestamp") <= instant
            known = said.filter(happened).collect().drop("created_timestamp")
            taken_back = known.filter("is_deleted").drop("is_deleted").rows()
            left = Counter(known.filter(~pl.col("is_deleted")).drop("is_deleted").rows())
            left.subtract(taken_back)
            assert min(left.values(), default=0) >= 0
            rows_left = live_rows(said, live[:1], known_as_of=instant).collect()
            found = rows_left.drop("created_timestamp", "is_deleted").rows()
            assert sorted(found) == sorted(left.elements())
            assert rows_left["transaction_id"].is_unique().all()


@some
@given(files, st.sets(st.integers(0, 9)))
def test_parts_in_created_order_leave_the_bytes_of_the_whole(
    rows: list[Row], cuts: set[int]
) -> None:
    in_order = sorted(rows, key=lambda row: row.created)
    parts = groupby(in_order, key=lambda row: sum(row.created >= cut for cut in cuts))
    with new_lake() as whole, new_lake() as lake:
        add(rows, whole)
        for _, part in parts:
            add(list(part), lake)
        assert partitions(lake) == partitions(whole)


@some
@given(files, files, st.integers(1, 4))
def test_buckets_leave_the_bytes_of_the_whole(
    before: list[Row], rows: list[Row], size: int
) -> None:
    with new_lake() as whole, new_lake() as lake:
        receipts = []
        for engine, place in ((LocalEngine(), whole), (LocalEngine(rows_a_bucket=size), lake)):
            add(before, place, engine=engine)
            receipts.append(outcomes(add(rows, place, engine=engine)))
        assert receipts[0] == receipts[1]
        assert partitions(lake) == partitions(whole)


@some
@given(st.lists(files, min_size=1, max_size=3))
def test_ingesting_a_file_again_changes_nothing(sequence: list[list[Row]]) -> None:
    with new_lake() as lake:
        for rows in sequence:
            first = add(rows, lake)
            before = partitions(lake)
            again = add(rows, lake)
            assert partitions(lake) == before
            assert again.accepted == 0
            assert again.already_there >= first.accepted


@some
@given(files, files, files, st.integers(0, 16))
def test_after_a_power_cut_at_any_write_the_next_ingest_finds_all_or_nothing(
    before: list[Row], rows: list[Row], other: list[Row], writes: int
) -> None:
    oracle = Oracle()
    oracle.ingest(before)
    with new_lake() as lake:
        add(before, lake)
        with power_cut(writes), suppress(PowerCutError):
            add(rows, lake)
        if committed := _is_committed(lake, rows, before):
            oracle.ingest(rows)
        oracle.ingest(other)
        add(other, lake)
        assert facts(lake) == known_to(oracle)
        assert lake.list("fraud/_staging") == []
        if not committed:
            oracle.ingest(rows)
            add(rows, lake)
            assert facts(lake) == known_to(oracle)


def _is_committed(lake: Lake, rows: list[Row], before: list[Row]) -> bool:
    """Whether the interrupted ingest has to be completed, or was complete."""
    staged = lake.list("fraud/_staging/")
    if any(key.endswith("_committed.json") for key in staged):
        return True
    ingests = lake.table(TRANSACTIONS).metadata()["ingests"]
    return len(ingests) == 2 or rows == before


def test_a_correction_in_words(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    add([PLAIN], lake)
    receipt = add([PLAIN._replace(event=30, created=4, amount=9)], lake)
    assert (receipt.accepted, receipt.corrections, receipt.late) == (1, 1, 0)
    assert receipt.days_written == {VERDICTS: 2, TRANSACTIONS: 2}
    table = lake.table(TRANSACTIONS).scan().collect()
    said = table.select("event_timestamp", "created_timestamp", "amount_cents", "is_deleted")
    first, second, corrected = (
        START.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in (5, 30, 40)
    )
    assert said.rows() == [
        (first, START.replace(tzinfo=UTC) + timedelta(hours=10), 700, False),
        (first, corrected, 700, True),
        (second, corrected, 900, False),
    ]


def test_a_day_holds_a_deletion_before_the_row_in_its_place(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    add([PLAIN._replace(amount=3, created=4), PLAIN, PLAIN._replace(id=0)], lake)
    said = ["transaction_id", "amount_cents", "is_deleted"]
    assert lake.table(TRANSACTIONS).scan().select(said).collect().rows() == [
        (0, 700, False),
        (1, 700, False),
        (1, 700, True),
        (1, 300, False),
    ]


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (PLAIN._replace(amount=8), "conflicting_id"),
        (PLAIN._replace(amount=8, created=0), "older_than_stored"),
        (PLAIN._replace(created=0), "older_than_stored"),
        (PLAIN._replace(deleted=1), "conflicting_id"),
        (PLAIN._replace(deleted=1, created=0), "older_than_stored"),
        (PLAIN._replace(id=2, deleted=1, created=3), "nothing_to_delete"),
    ],
)
def test_what_cannot_follow_is_rejected_for_its_reason(
    tmp_path: Path, then: Row, reason: str
) -> None:
    lake = Lake.at(tmp_path / "lake")
    add([PLAIN], lake)
    before = partitions(lake)
    assert dict(add([then], lake).rejected_by_reason) == {reason: 1}
    assert partitions(lake) == before


def test_a_row_that_was_deleted_can_come_back_but_not_be_deleted_twice(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    add([PLAIN, PLAIN._replace(created=2, deleted=1)], lake)
    again = add([PLAIN._replace(created=3, deleted=1)], lake)
    assert dict(again.rejected_by_reason) == {"nothing_to_delete": 1}
    assert add([PLAIN._replace(created=4)], lake).accepted == 1
    assert [fact.deleted for fact in facts(lake)[1]] == [False, True, False]


def test_late_rows_are_counted_apart_from_corrections_and_deletions(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    on_time, late = PLAIN._replace(id=3, event=30), PLAIN._replace(id=4, created=9)
    fixed = [PLAIN._replace(created=8, amount=1), PLAIN._replace(created=9, deleted=1)]
    receipt = add([PLAIN._replace(event=50), on_time, late, *fixed], lake)
    assert (receipt.rows_in, receipt.accepted) == (5, 5)
    assert (receipt.late, receipt.corrections, receipt.deletions) == (1, 1, 1)


def test_a_lost_partition_comes_back_with_its_corrections(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    sequence = [[PLAIN], [PLAIN._replace(created=4, event=30)], [PLAIN._replace(created=6)]]
    for rows in sequence:
        add(rows, lake)
    before = partitions(lake)
    table = lake.table(TRANSACTIONS)
    table.drop_days(table.days())
    receipts = [add(rows, lake) for rows in sequence]
    assert [receipt.accepted for receipt in receipts] == [1, 1, 1]
    assert partitions(lake) == before
