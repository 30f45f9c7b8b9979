"""Bad rows and odd days in a source: refused before they are written, or carried."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from source_histories import HOUR, NOW, SPECS, STEPS, T0, TICK, Row, built, files, write_source

from lockstep.contract.clock import FixedClock
from lockstep.jobs.arrivals import HOUR_US
from lockstep.jobs.build import build
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.windows.errors import EventsError
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.steps import steps

DAY_US = 24 * HOUR_US
ROWS = [Row("a", 1, n * DAY_US + HOUR_US, n * DAY_US + HOUR_US, n) for n in range(4)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path)
    write_source(lake, ROWS)
    return lake


def test_a_partition_whose_rows_are_damaged_is_named_and_nothing_written(lake: Lake) -> None:
    """Its footer is fine: that is found out only where its rows are read."""
    built(lake, STEPS, end=96)
    before = files(lake, STEPS)
    source = lake.table(STEPS.source)
    data = bytearray(lake.read_bytes(source.part(source.days()[2])))
    data[4:40] = bytes(36)
    lake.write_bytes(source.part(source.days()[2]), bytes(data))
    with pytest.raises(LakeError, match=r"day=2018-04-03/part.parquet cannot be read"):
        built(lake, STEPS, end=96)
    assert files(lake, STEPS) == before


def test_values_that_overflow_are_refused_before_their_piece_is_written(lake: Lake) -> None:
    built(lake, STEPS, end=96)
    before = files(lake, STEPS)
    write_source(lake, [*ROWS[:3], ROWS[3]._replace(value=2**62)])
    with pytest.raises(EventsError, match="'value' reaches 4,611,686,018,427,387,904"):
        built(lake, STEPS, end=96, most_steps=1)
    assert files(lake, STEPS) == before


def test_nulls_without_statistics_are_refused(lake: Lake) -> None:
    source = lake.table(STEPS.source)
    day = source.days()[1]
    rows = source.read_day(day).with_columns(value=pl.lit(None, pl.Int64))
    rows.write_parquet(Path(lake.uri) / source.part(day), statistics=False)
    with pytest.raises(EventsError, match="'value' has 1 nulls"):
        built(lake, STEPS, end=96)


def test_an_empty_day_and_a_missing_day_are_days_without_rows(lake: Lake, tmp_path: Path) -> None:
    source = lake.table(STEPS.source)
    first, second, third, last = source.days()
    source.write_day(second, source.read_day(second).clear())
    source.drop_days([third])
    source.write_day(last + timedelta(days=1), source.read_day(first).clear())
    expected = Lake.at(tmp_path / "expected")
    write_source(expected, [ROWS[0], ROWS[3]])
    for spec in SPECS:
        assert built(lake, spec)[0].end == built(expected, spec)[0].end
        assert files(lake, spec) == files(expected, spec)


def test_times_before_1970_are_times(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    back = int((T0 - datetime(1965, 3, 1, tzinfo=UTC)) / TICK)
    write_source(
        lake, [row._replace(event=row.event - back, created=row.created - back) for row in ROWS]
    )
    (receipt,) = built(lake, STEPS)
    table = lake.table(STEPS.table)
    assert table.days()[0] == date(1965, 3, 1)
    events = lake.table(STEPS.source).scan().collect()
    end = datetime.fromisoformat(receipt.end)
    order = [*STEPS.entity_keys, "event_timestamp"]
    assert_frame_equal(table.scan().collect().sort(order), steps(events, STEPS, end=end))
    start = datetime(1965, 3, 2, tzinfo=UTC)
    before = files(lake, STEPS)
    build(lake, [STEPS], start=start, clock=FixedClock(NOW), progress=lambda what, share: None)
    assert files(lake, STEPS) == before


def test_times_in_the_future_are_not_yet_known(lake: Lake) -> None:
    """Neither as the event nor as its arrival; they are when their time comes."""
    far = int((NOW - T0) / TICK)
    write_source(
        lake, [*ROWS, Row("a", 1, far + 5, far + 5, 1), Row("a", 1, 3 * DAY_US, far + 9, 1)]
    )
    (receipt,) = built(lake, STEPS)
    assert receipt.rows_in == len(ROWS)
    assert receipt.horizon == NOW.isoformat()
    later = FixedClock(NOW + HOUR)
    (receipt,) = build(lake, [STEPS], start=NOW, clock=later, progress=lambda what, share: None)
    assert receipt.rows_in == 1
    (receipt,) = build(
        lake, [STEPS], start=NOW, end=NOW + HOUR, clock=later, progress=lambda what, share: None
    )
    assert receipt.rows_in == 2
    assert receipt.late == {"on_time": 1, "older": 1}


def test_a_deletion_of_nothing_is_refused(lake: Lake) -> None:
    """The core finds it, while the steps are computed: the table still vouches for all."""
    built(lake, STEPS, end=96)
    before, table = files(lake, STEPS), lake.table(STEPS.table)
    write_source(lake, [*ROWS, ROWS[0]._replace(value=9, created=2 * DAY_US, is_deleted=True)])
    with pytest.raises(EventsError, match="deletion"):
        built(lake, STEPS, end=96)
    assert files(lake, STEPS) == before
    assert table.horizon() == T0 + 96 * HOUR


@pytest.mark.parametrize(
    "keys",
    [
        pl.Series([0, 2**64 - 1, 1, 0], dtype=pl.UInt64),
        pl.Series([-128, 127, 1, -128], dtype=pl.Int8),
        pl.Series([True, False, True, True]),
    ],
    ids=lambda keys: str(keys.dtype),
)
def test_keys_of_any_type_go_through_increments(tmp_path: Path, keys: pl.Series) -> None:
    spec = WindowSpec("w", STEPS.source, "card", ("key",), ("1d",), (Aggregation("sum", "value"),))
    times = pl.Series([T0 + timedelta(hours=10 * n) for n in range(4)]).cast(
        pl.Datetime("us", "UTC")
    )
    rows = pl.DataFrame(
        {
            "key": keys,
            "event_timestamp": times,
            "created_timestamp": times + 9 * HOUR,
            "value": [1] * 4,
        }
    )
    lakes = [Lake.at(tmp_path / name) for name in ("whole", "increments")]
    for lake in lakes:
        for (day,), part in rows.group_by(pl.col("event_timestamp").dt.date()):
            lake.table(spec.source).write_day(day, part)
    built(lakes[0], spec, end=72)
    built(lakes[1], spec, end=12)
    for start in range(12, 72, 12):
        built(lakes[1], spec, start=start, end=start + 12)
    assert files(lakes[0], spec) == files(lakes[1], spec)
