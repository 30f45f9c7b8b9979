"""Bad sources: every engine says the same of them, and leaves the tables as they were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from runners import ENGINES, Engine, run
from source_histories import STEPS, T0, Row, write_source

from lockstep.errors import LockstepError
from lockstep.jobs.arrivals import HOUR_US
from lockstep.jobs.errors import BuildError
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.windows.errors import EventsError

DAY = T0.date() + timedelta(days=2)
ROWS = [Row("a", 1, hour * HOUR_US, hour * HOUR_US, hour) for hour in (1, 30, 50, 70)]


def changed(expression: pl.Expr) -> Callable[[LakeTable], object]:
    """A source whose third day has one column that is not as it should be."""
    return lambda table: table.write_day(DAY, table.read_day(DAY).with_columns(expression))


def without(column: str) -> Callable[[LakeTable], object]:
    return lambda table: table.write_day(DAY, table.read_day(DAY).drop(column))


def overwritten(start: int, stop: int) -> Callable[[LakeTable], object]:
    """A source whose third day lost some of its bytes."""

    def damage(table: LakeTable) -> None:
        data = bytearray(table.lake.read_bytes(table.part(DAY)))
        data[start:stop] = bytes(len(data[start:stop]))
        table.lake.write_bytes(table.part(DAY), bytes(data))

    return damage


def nothing(table: LakeTable) -> None:
    table.drop_days(table.days())


BAD = {
    "no source": (LakeError, nothing),
    "no footer": (LakeError, overwritten(-100, 10**9)),
    "no pages": (LakeError, overwritten(4, 300)),
    "a column less": (EventsError, without("value")),
    "a float": (LakeError, changed(pl.col("value") / 2)),
    "another type on one day": (LakeError, changed(pl.col("card").cast(pl.Int32))),
    "another time unit": (LakeError, changed(pl.col("created_timestamp").dt.cast_time_unit("ns"))),
    "a null key": (EventsError, changed(pl.lit(None, pl.Int64).alias("card"))),
    "a null time": (
        EventsError,
        changed(pl.lit(None, pl.Datetime("us", "UTC")).alias("event_timestamp")),
    ),
    "sums that overflow": (EventsError, changed(pl.lit(2**63 - 1).alias("value"))),
    "a deletion of nothing": (EventsError, changed(pl.lit(True).alias("is_deleted"))),
}


@pytest.fixture
def lake(local_lake: Lake) -> Lake:
    """With the source, and nothing built."""
    write_source(local_lake, ROWS)
    return local_lake


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("problem", BAD)
def test_a_bad_source_is_one_error_and_no_change(problem: str, lake: Lake) -> None:
    kind, damage = BAD[problem]
    messages = []
    for engine in ENGINES.values():
        write_source(lake, ROWS)
        run(engine, lake, STEPS, end=24)
        before = _files(lake)
        damage(lake.table(STEPS.source))
        with pytest.raises(kind) as error:
            run(engine, lake, STEPS)
        assert isinstance(error.value, LockstepError)
        messages.append(str(error.value))
        assert _files(lake) == before
    assert messages[0] == messages[1]


def test_an_interval_that_means_nothing(engine: Engine, lake: Lake) -> None:
    with pytest.raises(BuildError, match="not been built"):
        run(engine, lake, STEPS, start=24, end=48)
    run(engine, lake, STEPS, end=24)
    with pytest.raises(BuildError, match="leaves a gap"):
        run(engine, lake, STEPS, start=25, end=48)


def test_a_backfill_behind_the_interval_is_noticed(engine: Engine, lake: Lake) -> None:
    run(engine, lake, STEPS, end=48)
    write_source(lake, [*ROWS, Row("a", 2, 40 * HOUR_US, 40 * HOUR_US, 1)])
    with pytest.raises(BuildError, match=r"from 2018-04-02 16:00 on has changed"):
        run(engine, lake, STEPS, start=48, end=72)
    assert not [key for key in lake.list("") if "_staging" in key]


def test_rows_without_any_time_are_not_left_out(engine: Engine, lake: Lake) -> None:
    """No footer tells of them, and no comparison of times finds them."""
    table = lake.table(STEPS.source)
    timeless = table.read_day(DAY).with_columns(
        pl.lit(None, pl.Datetime("us", "UTC")).alias(f"{name}_timestamp")
        for name in ("event", "created")
    )
    rows = pl.concat([table.read_day(DAY), timeless])
    rows.write_parquet(Path(lake.uri) / table.part(DAY), statistics=False)
    with pytest.raises(EventsError, match="null"):
        run(engine, lake, STEPS)


def test_an_interval_without_anything_is_built_all_the_same(engine: Engine, lake: Lake) -> None:
    run(engine, lake, STEPS, end=240)
    (receipt,) = run(engine, lake, STEPS, start=240, end=241)
    assert (receipt.rows_in, receipt.steps, receipt.days) == (0, 0, 0)


def test_a_source_and_a_start_near_year_one(engine: Engine, lake: Lake) -> None:
    """The window before the first instant there is; .NET writes that instant for "none"."""
    year_one = (datetime(1, 1, 1, tzinfo=UTC) - T0) // timedelta(microseconds=1)
    write_source(lake, [Row("a", 1, year_one, HOUR_US, 1)])
    run(engine, lake, STEPS, end=24)
    hours = -(T0 - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(hours=1)
    (receipt,) = run(engine, lake, STEPS, start=hours, end=24)
    assert receipt.stale_days == ()


def _files(lake: Lake) -> dict[str, bytes]:
    tables = [key for key in lake.list("") if "/payments/" not in key]
    return {key: lake.read_bytes(key) for key in tables}
