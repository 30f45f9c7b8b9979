"""Steps in their day partitions: split by the day, replaced by the interval."""

from __future__ import annotations

import io
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_histories import DAILY, STEPS, T0

from lockstep.jobs.errors import BuildError
from lockstep.jobs.partitions import PartitionReceipt, replace_interval, split_by_day
from lockstep.lake.lake import Lake
from lockstep.windows.final import became_final

DAY = T0.date()
MINUTE = timedelta(minutes=1)
SCHEMA = {
    "shop": pl.String(),
    "card": pl.Int64(),
    "event_timestamp": pl.Datetime("us", "UTC"),
    "created_timestamp": pl.Datetime("us", "UTC"),
    "n": pl.Int64(),
}
ORDER = ["shop", "card", "event_timestamp", "created_timestamp"]


def steps(*rows: tuple[int, datetime, datetime]) -> pl.DataFrame:
    """Steps of cards, ordered as the core orders them."""
    return pl.DataFrame([("a", *row, 0) for row in rows], SCHEMA, orient="row").sort(ORDER)


# Minutes after T0: steps of two days, some of them late.
cards = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2879), st.integers(0, 1500)),
    max_size=20,
    unique=True,
).map(
    lambda rows: steps(
        *((card, T0 + at * MINUTE, T0 + (at + late) * MINUTE) for card, at, late in rows)
    )
)


@given(cards)
def test_every_step_stands_in_the_day_on_which_it_became_final(rows: pl.DataFrame) -> None:
    parts = list(split_by_day(rows, STEPS))
    for day, part in parts:
        final = part.select(pl.from_epoch(became_final(STEPS), time_unit="us").dt.date())
        assert set(final.to_series()) == {day}
        assert part.equals(part.sort(ORDER))
    days = [day for day, _ in parts]
    assert days == sorted(set(days))
    assert sum(part.height for _, part in parts) == rows.height


def test_days_before_1970_and_far_apart_are_days() -> None:
    days = [date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(9999, 12, 31)]
    times = [datetime(d.year, d.month, d.day, 23, tzinfo=UTC) for d in days]
    rows = steps(*((1, time, time) for time in times))
    assert [day for day, _ in split_by_day(rows, STEPS)] == days


def test_a_snapshot_at_midnight_closes_the_day_before() -> None:
    midnight = T0 + timedelta(days=1)
    assert [day for day, _ in split_by_day(steps((1, midnight, T0)), DAILY)] == [DAY]


@given(cards, cards, st.integers(0, 48), st.integers(0, 48))
def test_only_the_interval_is_replaced(
    old: pl.DataFrame, new: pl.DataFrame, start: int, end: int
) -> None:
    since, until = (T0 + hours * timedelta(hours=1) for hours in (start, end))
    final = pl.from_epoch(became_final(STEPS), time_unit="us").dt.replace_time_zone("UTC")
    inside = (final >= since) & (final < until)
    new = new.filter(inside)
    with tempfile.TemporaryDirectory() as folder:
        table = Lake.at(folder).table(STEPS.table)
        for day, part in split_by_day(old, STEPS):
            table.write_day(day, part)
        parts = dict(split_by_day(new, STEPS))
        for day in {*table.days(), *parts}:
            halves = [parts[day][:1], parts[day][1:]] if day in parts else []
            receipt = replace_interval(table, day, halves, STEPS, start=since, end=until)
            assert (day in table.days()) == (receipt.rows > 0)
        expected = pl.concat([old.filter(~inside), new]).sort(ORDER)
        found = [table.read_day(day) for day in table.days()]
        assert pl.concat([steps(), *found]).sort(ORDER).equals(expected)
        assert all(part.equals(part.sort(ORDER)) for part in found)


def test_a_day_without_steps_has_no_partition(tmp_path: Path) -> None:
    table = Lake.at(tmp_path).table(STEPS.table)
    table.write_day(DAY, steps((1, T0, T0)))
    assert replace_interval(table, DAY, [], STEPS, start=None, end=None) == PartitionReceipt(DAY)
    assert table.days() == []


def test_a_whole_day_is_replaced_unread(tmp_path: Path) -> None:
    table = Lake.at(tmp_path).table(STEPS.table)
    table.lake.write_bytes(table.part(DAY), b"no parquet")
    rows = steps((1, T0, T0))
    end = T0 + timedelta(days=1)
    receipt = replace_interval(table, DAY, [rows], STEPS, start=T0, end=end)
    assert table.read_day(DAY).equals(rows)
    data = table.lake.read_bytes(table.part(DAY))
    assert (receipt.rows, receipt.bytes) == (1, len(data))


def test_steps_of_other_columns_are_not_mixed(tmp_path: Path) -> None:
    table = Lake.at(tmp_path).table(STEPS.table)
    table.write_day(DAY, steps((1, T0, T0)).rename({"n": "m"}))
    parts = [steps((1, T0 + 7 * MINUTE, T0))]
    with pytest.raises(BuildError, match=r"other columns on 2018-04-01: \['m', 'n'\]"):
        replace_interval(table, DAY, parts, STEPS, start=T0 + MINUTE, end=None)


def test_the_bytes_do_not_depend_on_how_steps_arrive(tmp_path: Path) -> None:
    """More rows than a row group has, in one frame and in a thousand."""
    count = 600_000
    times = pl.Series(range(count)).cast(pl.Datetime("us", "UTC")) + (
        T0 - datetime(1970, 1, 1, tzinfo=UTC)
    )
    rows = pl.select(
        shop=pl.lit("a"),
        card=1,
        event_timestamp=times,
        created_timestamp=times,
        n=times.to_physical(),
    )
    found = []
    for name, size in (("one", count), ("many", 601)):
        table = Lake.at(tmp_path / name).table(STEPS.table)
        parts = [rows[first : first + size] for first in range(0, count, size)]
        receipt = replace_interval(table, DAY, parts, STEPS, start=None, end=None)
        found.append((receipt, table.lake.read_bytes(table.part(DAY))))
    assert found[0] == found[1]
    assert pl.read_parquet(io.BytesIO(found[0][1])).height == count
