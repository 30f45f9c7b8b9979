"""Builds that go on from a table: what is refused, what becomes stale, what is read again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from source_histories import (
    DAILY,
    HOUR,
    NOW,
    SPECS,
    STEPS,
    T0,
    TICK,
    Row,
    built,
    files,
    write_source,
)

from lockstep.contract.clock import FixedClock
from lockstep.jobs import table_build
from lockstep.jobs.arrivals import HOUR_US
from lockstep.jobs.build import build
from lockstep.jobs.errors import BuildError
from lockstep.jobs.record import read_record
from lockstep.lake.content_hash import content_hash
from lockstep.lake.lake import Lake

DAY_US = 24 * HOUR_US
ROWS = [Row("a", 1, n * DAY_US + HOUR_US, n * DAY_US + HOUR_US, n) for n in range(6)]
BACKFILL = Row("a", 1, DAY_US + 7, DAY_US + 7, 3)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Six days of rows, built up to the end of the fifth."""
    lake = Lake.at(tmp_path)
    write_source(lake, ROWS)
    built(lake, STEPS, end=120)
    return lake


def test_a_start_behind_the_end_is_a_gap(lake: Lake) -> None:
    with pytest.raises(BuildError, match=r"gap: bank/steps ends at 2018-04-06T00:00:00\+00:00"):
        built(lake, STEPS, start=121, end=144)


def test_a_table_that_was_not_built_is_not_gone_on_from(lake: Lake) -> None:
    with pytest.raises(BuildError, match="bank/daily has not been built"):
        built(lake, DAILY, start=120, end=144)


def test_only_whole_hours_are_asked_for(lake: Lake) -> None:
    with pytest.raises(BuildError, match=r"--start .*T00:30:00.* is not a whole hour.*T00:00"):
        built(lake, STEPS, start=120.5)
    with pytest.raises(BuildError, match=r"--end .*T00:30:00.* is not a whole hour"):
        built(lake, STEPS, start=120, end=144.5)


@pytest.mark.parametrize("end", [72, 48])
def test_an_interval_without_an_instant_is_refused(lake: Lake, end: int) -> None:
    with pytest.raises(BuildError, match=r"nothing lies between --start 2018-04-04 00:00"):
        built(lake, STEPS, start=72, end=end)


def test_the_default_end_is_that_of_the_source(lake: Lake) -> None:
    (receipt,) = built(lake, STEPS, start=120)
    assert receipt.end == (T0 + 121 * HOUR + 2 * TICK).isoformat()


def test_the_default_end_is_not_before_that_of_the_table(lake: Lake) -> None:
    """A row that came in the hour of the newest event is seen, though that hour is not over."""
    built(lake, STEPS, end=144)
    with pytest.raises(BuildError, match="--start 2018-04-07 00:00 and the end 2018-04-07 00:00"):
        built(lake, STEPS, start=144)
    late = Row("a", 2, 5 * DAY_US, 121 * HOUR_US, 3)
    write_source(lake, [*ROWS, late])
    (receipt,) = built(lake, STEPS, start=120)
    assert receipt.end == (T0 + 144 * HOUR).isoformat()
    expected = Lake.at(Path(lake.uri) / "expected")
    write_source(expected, [*ROWS, late])
    built(expected, STEPS, end=144)
    assert files(lake, STEPS) == files(expected, STEPS)


def test_another_definition_is_built_whole(lake: Lake) -> None:
    other = replace(STEPS, windows=("90m", "6h"), aggregations=STEPS.aggregations[:1])
    before = files(lake, STEPS)
    with pytest.raises(BuildError, match="with other aggregations, source_types, windows than"):
        built(lake, other, start=120, end=144)
    assert files(lake, STEPS) == before
    built(lake, other, end=144)
    assert lake.table(STEPS.table).scan().collect_schema().names()[4:] == [
        "card_tx_count_90m",
        "card_tx_count_6h",
        "valid_until_us",
    ]
    built(lake, other, start=144, end=145)


def test_the_same_rows_keep_the_horizon(lake: Lake) -> None:
    (receipt,) = built(lake, STEPS, start=24, end=48)
    assert receipt.stale_days == ()
    assert receipt.horizon == (T0 + 120 * HOUR).isoformat()


def test_other_rows_make_what_comes_later_stale(lake: Lake) -> None:
    write_source(lake, [*ROWS, BACKFILL])
    (receipt,) = built(lake, STEPS, start=24, end=48)
    assert receipt.stale_days == ("2018-04-03", "2018-04-05")
    assert lake.table(STEPS.table).horizon() == T0 + 48 * HOUR
    assert receipt.horizon == (T0 + 48 * HOUR).isoformat()
    (receipt,) = built(lake, STEPS, start=48, end=72)
    assert receipt.stale_days == ("2018-04-04", "2018-04-05")
    (receipt,) = built(lake, STEPS, start=72, end=120)
    assert receipt.stale_days == ()


def test_new_rows_in_the_last_hour_take_nothing_back(lake: Lake) -> None:
    """A whole build every night vouches for the old steps until the new ones stand."""
    built(lake, STEPS)
    newer = Row("a", 1, 5 * DAY_US + HOUR_US + 9, 5 * DAY_US + HOUR_US + 9, 1)
    write_source(lake, [*ROWS, newer])
    with patch.object(table_build, "write_record", wraps=table_build.write_record) as written:
        built(lake, STEPS)
        built(lake, STEPS, start=121)
    assert written.call_count == 2


def test_a_cascade_builds_what_is_stale(lake: Lake) -> None:
    write_source(lake, [*ROWS, BACKFILL])
    built(lake, STEPS, start=24, end=48)
    (receipt,) = built(lake, STEPS, start=24, end=48, cascade=True)
    assert receipt.stale_days == ()
    assert (receipt.start, receipt.end) == tuple(
        (T0 + hour * HOUR).isoformat() for hour in (24, 120)
    )
    assert lake.table(STEPS.table).horizon() == T0 + 120 * HOUR


def test_rows_that_changed_before_the_start_are_named(lake: Lake) -> None:
    write_source(lake, [*ROWS, BACKFILL])
    with pytest.raises(BuildError, match=r"from 2018-04-02 00:00 on .* --start .*02T00:00 --casc"):
        built(lake, STEPS, start=48, end=72)
    assert lake.table(STEPS.table).horizon() == T0 + 120 * HOUR


def test_a_day_that_is_gone_is_built_whole(lake: Lake) -> None:
    built(lake, STEPS, end=132)
    before = files(lake, STEPS)
    table = lake.table(STEPS.table)
    table.drop_days([(T0 + 120 * HOUR).date()])
    with pytest.raises(BuildError, match="2018-04-06 of bank/steps is gone, .* --start 2018-04-06"):
        built(lake, STEPS, start=126, end=132)
    with pytest.raises(BuildError, match="2018-04-06 of bank/steps is gone"):
        built(lake, STEPS, start=96, end=126)
    built(lake, STEPS, start=120)
    assert files(lake, STEPS) == before


def test_a_piece_keeps_the_record_of_those_before_it(lake: Lake) -> None:
    """A late row of the first day reaches a new one before it; the second day has new rows."""
    late = Row("b", 9, 60 * HOUR_US, 97 * HOUR_US, 1)
    write_source(lake, [*ROWS, late])
    built(lake, STEPS, end=144)
    old, new = (
        Row("b", 9, 50 * HOUR_US, 50 * HOUR_US, 4),
        Row("b", 9, 121 * HOUR_US, 121 * HOUR_US, 2),
    )
    write_source(lake, [*ROWS, late, old, new])
    built(lake, STEPS, start=96, end=144, most_steps=5)
    table = lake.table(STEPS.table)
    record = read_record(table)
    assert record is not None
    for day in table.days()[4:]:
        assert record.partitions[day].sha256 == content_hash(table.read_day(day)), day


def test_a_state_does_not_hide_a_backfill_but_knows_an_untouched_day(lake: Lake) -> None:
    write_source(lake, ROWS)  # the same rows in other objects
    built(lake, STEPS, start=120, end=132)
    write_source(lake, [*ROWS, Row("a", 1, 120 * HOUR_US + 7, 120 * HOUR_US + 7, 3)])
    with pytest.raises(BuildError, match="from 2018-04-06 00:00 on has changed"):
        built(lake, STEPS, start=132, end=144)


def test_an_increment_does_not_read_the_history(lake: Lake) -> None:
    """Neither with the snapshot of the window, nor without it more than that window."""
    source = lake.table(STEPS.source)
    expected = Lake.at(Path(lake.uri) / "expected")
    write_source(expected, ROWS)
    built(expected, STEPS, end=144)
    for day in source.days()[:4]:
        data = source.lake.read_bytes(source.part(day))
        footer = int.from_bytes(data[-8:-4], "little") + 8
        source.lake.write_bytes(source.part(day), bytes(len(data) - footer) + data[-footer:])
    lake.delete([lake.table(STEPS.table).key("_state.parquet")])
    built(lake, STEPS, start=120, end=132)
    source.lake.write_bytes(source.part(source.days()[4]), data)
    built(lake, STEPS, start=132, end=144)
    assert files(lake, STEPS) == files(expected, STEPS)


@pytest.mark.parametrize("damage", ["missing", "no parquet", "another table's", "other columns"])
def test_a_state_that_does_not_fit_is_made_again(lake: Lake, damage: str) -> None:
    key = lake.table(STEPS.table).key("_state.parquet")
    expected = lake.read_bytes(key)
    if damage == "missing":
        lake.delete([key])
    elif damage == "no parquet":
        lake.write_bytes(key, b"no parquet")
    elif damage == "another table's":
        built(lake, DAILY, end=120)
        lake.write_bytes(key, lake.read_bytes(lake.table(DAILY.table).key("_state.parquet")))
    else:
        metadata = pl.read_parquet_metadata(Path(lake.uri) / key)
        rows = lake.read_parquet(key).drop("is_deleted")
        lake.write_parquet(key, rows, metadata={"lockstep": metadata["lockstep"]})
    built(lake, STEPS, start=96, end=120)
    assert lake.read_bytes(key) == expected
    built(lake, STEPS, start=120, end=144)


def test_a_snapshot_at_the_end_is_vouched_for(lake: Lake) -> None:
    (receipt,) = built(lake, DAILY, end=48)
    assert receipt.horizon == (T0 + 48 * HOUR + TICK).isoformat()
    assert lake.table(DAILY.table).days()[-1] == (T0 + timedelta(days=1)).date()
    (receipt,) = built(lake, DAILY, start=48, end=72)
    assert receipt.stale_days == ()


def test_the_record_lists_the_days_of_the_table(lake: Lake) -> None:
    record = read_record(lake.table(STEPS.table))
    assert record is not None
    assert record.end == T0 + 120 * HOUR
    assert set(record.partitions) == set(lake.table(STEPS.table).days())
    assert all(part.sha256 for part in record.partitions.values())


def test_every_table_of_a_use_case_goes_on(lake: Lake) -> None:
    built(lake, *SPECS, end=96)
    receipts = build(
        lake,
        SPECS,
        start=T0 + 96 * HOUR,
        clock=FixedClock(NOW),
        progress=lambda what, share: None,
    )
    assert [receipt.table for receipt in receipts] == [spec.table for spec in SPECS]
    assert {receipt.rows_in for receipt in receipts} == {2}
