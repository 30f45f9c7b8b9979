"""A table of the lake: partitions, atomic replacement, clear errors."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lockstep.lake.errors import LakeError
from lockstep.lake.table import LakeTable

FIRST, SECOND = date(2018, 4, 1), date(2018, 4, 2)


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    return LakeTable(tmp_path, "bank/payments")


def rows(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"value": values}, schema={"value": pl.Int64})


def test_days_are_read_in_order_and_by_choice(table: LakeTable) -> None:
    table.write_day(SECOND, rows(3))
    table.write_day(FIRST, rows(1, 2))
    assert table.days() == [FIRST, SECOND]
    assert table.scan().collect()["value"].to_list() == [1, 2, 3]
    assert table.scan([SECOND]).collect()["value"].to_list() == [3]
    assert table.read_day(FIRST).equals(rows(1, 2))


def test_a_day_is_replaced_whole(table: LakeTable) -> None:
    table.write_day(FIRST, rows(1, 2))
    size = table.write_day(FIRST, rows(3))
    assert table.scan().collect()["value"].to_list() == [3]
    assert size == table.part(FIRST).stat().st_size


def test_a_write_that_fails_leaves_the_old_day(
    table: LakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.write_day(FIRST, rows(1))

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lockstep.lake.table.os.replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        table.write_day(FIRST, rows(2))
    assert table.read_day(FIRST).equals(rows(1))
    assert [p.name for p in table.part(FIRST).parent.iterdir()] == ["part.parquet"]


def test_dropped_days_are_gone(table: LakeTable) -> None:
    table.write_day(FIRST, rows(1))
    table.drop_days([FIRST, SECOND])
    assert table.days() == []


def test_the_horizon_is_what_was_recorded(table: LakeTable) -> None:
    assert table.horizon() is None
    table.write_metadata({"horizon": "2018-04-03T00:00:00+00:00"})
    assert table.horizon() == datetime(2018, 4, 3, tzinfo=UTC)


def test_a_table_is_complete_up_to_its_newest_event(table: LakeTable) -> None:
    newest = datetime(2018, 4, 2, 10, tzinfo=UTC)
    for day, time in ((FIRST, datetime(2018, 4, 1, 23, tzinfo=UTC)), (SECOND, newest)):
        table.write_day(day, pl.DataFrame({"event_timestamp": [time]}))
    assert table.coverage_end() == newest + timedelta(microseconds=2)


def test_what_is_not_there_is_named(table: LakeTable) -> None:
    with pytest.raises(LakeError, match=r"'bank/payments' has no day partitions .* ingest it"):
        table.scan(next_step="ingest it")
    table.write_day(FIRST, rows(1))
    with pytest.raises(LakeError, match="no data for 1 days; it has 2018-04-01 to 2018-04-01"):
        table.scan([SECOND])
    with pytest.raises(LakeError, match="no data for 2018-04-02"):
        table.read_day(SECOND)


def test_a_corrupt_partition_is_named(table: LakeTable) -> None:
    table.write_day(FIRST, rows(1))
    table.part(FIRST).write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(LakeError, match=r"day=2018-04-01/part.parquet cannot be read as parquet"):
        table.read_day(FIRST)


def test_a_damaged_partition_is_named_when_rows_are_collected(table: LakeTable) -> None:
    table.write_day(FIRST, rows(1))
    table.write_day(SECOND, rows(2))
    whole = table.part(SECOND).read_bytes()
    table.part(SECOND).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LakeError, match="a partition of .*/bank/payments cannot be read"):
        table.collect(table.scan())


def test_a_partition_that_is_no_day_is_named(table: LakeTable) -> None:
    table.write_day(FIRST, rows(1))
    table.part(FIRST).parent.rename(table.path / "day=foo")
    with pytest.raises(LakeError, match="day=foo is not named after a day"):
        table.days()
