"""A table of the lake: partitions, atomic replacement, clear errors."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable

FIRST, SECOND, THIRD = (date(2018, 4, day) for day in (1, 2, 3))


@pytest.fixture
def table(lake: Lake) -> LakeTable:
    return lake.table("bank/payments")


def rows(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"value": values}, schema={"value": pl.Int64})


def at(*times: datetime) -> pl.DataFrame:
    schema = {"event_timestamp": pl.Datetime("us", "UTC")}
    return pl.DataFrame({"event_timestamp": times}, schema=schema)


def test_days_are_read_in_order_and_by_choice(table: LakeTable) -> None:
    table.write_day(SECOND, rows(3))
    table.write_day(FIRST, rows(1, 2))
    assert table.days() == [FIRST, SECOND]
    assert table.collect(table.scan()).equals(rows(1, 2, 3))
    assert table.collect(table.scan([SECOND])).equals(rows(3))
    assert table.read_day(FIRST).equals(rows(1, 2))


def test_a_day_is_replaced_whole(table: LakeTable) -> None:
    table.write_day(FIRST, rows(1, 2))
    size = table.write_day(FIRST, rows(3))
    assert table.read_day(FIRST).equals(rows(3))
    assert size == len(table.lake.read_bytes(table.part(FIRST)))


def test_dropped_days_are_gone(table: LakeTable) -> None:
    table.write_day(FIRST, rows(1))
    table.drop_days([FIRST, SECOND])
    assert table.days() == []


def test_tables_whose_names_begin_alike_are_apart(lake: Lake) -> None:
    for name in ("bank/pay", "bank/payments", "bank/pay/day=2018-04-09"):
        lake.table(name).write_day(FIRST, rows(1))
    lake.table("bank/payments").drop_days([FIRST])
    assert lake.table("bank/payments").days() == []
    assert lake.table("bank/pay/day=2018-04-09").days() == [FIRST]


def test_what_stands_beside_the_partitions_is_no_day(table: LakeTable) -> None:
    table.write_day(FIRST, rows(1))
    for beside in ("_state.parquet", "_staging/day=2018-04-09/part.parquet", "day=2018-04-01/_ok"):
        table.lake.write_bytes(table.key(beside), b"")
    assert table.days() == [FIRST]


def test_the_horizon_is_what_was_recorded(table: LakeTable) -> None:
    assert table.horizon() is None
    table.write_metadata({"horizon": "2018-04-03T00:00:00+00:00"})
    assert table.horizon() == datetime(2018, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff"])
def test_a_record_that_is_not_ours_is_named(table: LakeTable, data: bytes) -> None:
    table.lake.write_bytes(table.key("_table.json"), data)
    with pytest.raises(LakeError, match=r"bank/payments/_table.json is not the record of a table"):
        table.horizon()


def test_a_table_is_complete_up_to_its_newest_event(table: LakeTable) -> None:
    newest = datetime(2018, 4, 2, 10, tzinfo=UTC)
    table.write_day(FIRST, at(datetime(2018, 4, 1, 23, tzinfo=UTC)))
    table.write_day(SECOND, at(newest))
    table.write_day(THIRD, at())
    assert table.coverage_end() == newest + timedelta(microseconds=2)


def test_a_table_of_empty_days_has_no_rows(table: LakeTable) -> None:
    table.write_day(FIRST, at())
    assert table.collect(table.scan()).equals(at())
    with pytest.raises(LakeError, match="'bank/payments' has no rows in 2018-04-01 to 2018-04-01"):
        table.coverage_end()


def test_what_is_not_there_is_named(table: LakeTable) -> None:
    with pytest.raises(LakeError, match=r"'bank/payments' has no day partitions .* ingest it"):
        table.scan(next_step="ingest it")
    table.write_day(FIRST, rows(1))
    with pytest.raises(LakeError, match="no data for 1 days; it has 2018-04-01 to 2018-04-01"):
        table.scan([SECOND])
    with pytest.raises(LakeError, match="no data for 2018-04-02"):
        table.read_day(SECOND)


@pytest.mark.parametrize("damage", [b"", b"PAR1 not really PAR1", None])
def test_a_damaged_partition_is_named_by_its_day(table: LakeTable, damage: bytes | None) -> None:
    for day in (FIRST, SECOND, THIRD):
        table.write_day(day, pl.DataFrame({"value": range(9999)}))
    whole = table.lake.read_bytes(table.part(SECOND))
    cut = whole[:99] + bytes(len(whole) - 999) + whole[-900:]
    table.lake.write_bytes(table.part(SECOND), cut if damage is None else damage)
    for read in (lambda: table.collect(table.scan()), lambda: table.read_day(SECOND)):
        with pytest.raises(LakeError, match=r"day=2018-04-02/part.parquet cannot be read as parq"):
            read()


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (pl.DataFrame({"value": [1.5]}), "value Float64"),
        (pl.DataFrame({"other": [1]}), "no value, other Int64"),
        (rows(1).with_columns(other=1), "other Int32"),
    ],
)
def test_a_change_of_columns_is_named_by_its_day(
    table: LakeTable, second: pl.DataFrame, what: str
) -> None:
    for day, day_rows in ((FIRST, rows(1)), (SECOND, second), (THIRD, rows(1))):
        table.write_day(day, day_rows)
    with pytest.raises(LakeError, match=rf"/day=2018-04-02/part.parquet has {what}, other than"):
        table.collect(table.scan())


@pytest.mark.parametrize("name", ["part-00000.parquet", "part.parquet.bak", "a/part.parquet"])
def test_a_foreign_object_in_a_day_is_named(table: LakeTable, name: str) -> None:
    table.write_day(FIRST, rows(1))
    table.lake.write_parquet(table.key(f"day=2018-04-02/{name}"), rows(2))
    with pytest.raises(LakeError, match=rf"day=2018-04-02/{name} is not a day partition of"):
        table.scan()


@pytest.mark.parametrize("day", ["foo", "2018-02-30", "20180401", ""])
def test_a_partition_that_is_no_day_is_named(table: LakeTable, day: str) -> None:
    table.lake.write_parquet(table.key(f"day={day}/part.parquet"), rows(1))
    with pytest.raises(LakeError, match=rf"bank/payments/day={day} is not named after a day"):
        table.days()
