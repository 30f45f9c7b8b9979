"""A source is checked by its footers, before anything is read or written."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from source_histories import STEPS, T0

from lockstep.jobs.footers import read_footers
from lockstep.jobs.source import open_source
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.windows.errors import EventsError

DAYS = [date(2018, 4, day) for day in (1, 2, 3)]
AT = pl.Series([T0, T0 + timedelta(hours=1)]).cast(pl.Datetime("us", "UTC"))
ROWS = pl.DataFrame(
    {
        "shop": ["a", "b"],
        "card": [1, 2],
        "event_timestamp": AT,
        "created_timestamp": AT + timedelta(days=3),
        "value": [1, -1],
    }
)


def lake_of(folder: Path, *days: pl.DataFrame) -> Lake:
    lake = Lake.at(folder)
    for day, rows in zip(DAYS, days, strict=False):
        lake.table(STEPS.source).write_day(day, rows)
    return lake


def test_a_footer_tells_rows_bounds_and_nulls(tmp_path: Path) -> None:
    holes = ROWS.with_columns(value=pl.Series([None, 1]))
    table = lake_of(tmp_path, holes, ROWS.clear()).table(STEPS.source)
    full, empty = read_footers(table, DAYS[:2])
    newest = ROWS["created_timestamp"].to_physical()[1]
    assert (full.day, full.rows, full.schema) == (DAYS[0], 2, ROWS.schema)
    assert (full.oldest_event, full.newest_created_us) == (T0, newest)
    assert full.nulls["value"] == 1
    assert empty.rows == 0


def test_a_footer_longer_than_one_request_is_read(tmp_path: Path) -> None:
    wide = ROWS.with_columns(pl.lit(0).alias(f"column_{n}") for n in range(1500))
    table = lake_of(tmp_path, wide).table(STEPS.source)
    assert len(table.lake.read_bytes(table.part(DAYS[0]))) > 70_000
    (footer,) = read_footers(table, DAYS[:1])
    assert len(footer.schema) == 1505


def test_a_file_without_statistics_may_hold_any_time(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    ROWS.write_parquet(buffer, statistics=False)
    table = Lake.at(tmp_path).table(STEPS.source)
    table.lake.write_bytes(table.part(DAYS[1]), buffer.getvalue())
    (footer,) = read_footers(table, [DAYS[1]])
    assert footer.newest_created_us is None
    assert footer.oldest_event == datetime(2018, 4, 2, tzinfo=UTC)
    far = T0 + timedelta(days=300)
    assert open_source(table.lake, STEPS).days_known_in(far, far + timedelta(hours=1)) == [DAYS[1]]


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"no parquet at all", b"x" * 100 + b"\xff\xff\xff\x7fPAR1"]
)
def test_what_is_not_parquet_is_named(tmp_path: Path, data: bytes) -> None:
    lake = lake_of(tmp_path, ROWS, ROWS)
    source = lake.table(STEPS.source)
    lake.write_bytes(source.part(DAYS[1]), data)
    with pytest.raises(LakeError, match=r"day=2018-04-02/part.parquet cannot be read as parquet"):
        open_source(lake, STEPS)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"'bank/payments' has no day partitions .*lockstep ingest"):
        open_source(Lake.at(tmp_path), STEPS)


def test_days_may_differ_in_what_is_not_needed(tmp_path: Path) -> None:
    """Other columns, another order, deletions from some day on."""
    other = ROWS.with_columns(note=pl.lit("x")).select(reversed(["note", *ROWS.columns]))
    deletions = ROWS.with_columns(is_deleted=pl.Series([False, True]))
    source = open_source(lake_of(tmp_path, ROWS, other, deletions), STEPS)
    rows = source.known_in(None, T0 + timedelta(days=30))
    assert rows.schema == {**ROWS.schema, "is_deleted": pl.Boolean()}
    assert rows.sort("card")["is_deleted"].to_list() == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("day", "error", "message"),
    [
        (ROWS.drop("value"), EventsError, r"the events lack \['value'\]"),
        (ROWS.cast({"card": pl.Int32}), LakeError, "day=2018-04-02.* has card Int32, other than"),
        (ROWS.cast({"value": pl.Float64}), LakeError, "day=2018-04-02.* has value Float64"),
        (
            ROWS.with_columns(pl.col("event_timestamp").dt.replace_time_zone(None)),
            LakeError,
            "day=2018-04-02.* has event_timestamp Datetime",
        ),
        (ROWS.with_columns(card=None).cast({"card": pl.Int64}), EventsError, "'card' has 2 nulls"),
        (
            ROWS.with_columns(event_timestamp=pl.lit(None, AT.dtype)),
            EventsError,
            "'event_timestamp' has 2 nulls",
        ),
        (ROWS.with_columns(is_deleted=pl.lit(0)), EventsError, "'is_deleted' is Int32"),
        (
            ROWS.with_columns(is_deleted=pl.lit(None, pl.Boolean)),
            EventsError,
            "'is_deleted' has 2 nulls",
        ),
    ],
)
def test_a_day_that_is_not_as_declared_is_refused(
    tmp_path: Path, day: pl.DataFrame, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        open_source(lake_of(tmp_path, ROWS, day), STEPS)


def test_floats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventsError, match="'value' is Float64, expected an integer"):
        open_source(lake_of(tmp_path, ROWS.cast({"value": pl.Float64})), STEPS)
