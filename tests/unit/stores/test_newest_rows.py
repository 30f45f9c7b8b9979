"""The newest row of every key is the same however the rows are cut into files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Int64, String
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lockstep.lake.lake import Lake
from lockstep.stores import newest_rows as reading
from lockstep.stores.column_types import UTC_TIME
from lockstep.stores.newest_rows import Chosen, newest_rows
from lockstep.stores.source_table import SourceTable
from lockstep.stores.view_table import ViewTable

START = datetime(2018, 4, 1, tzinfo=UTC)
event_time = pl.col("event_timestamp")
SCHEMA = {
    "card": pl.Int64,
    "shop": pl.String,
    "event_timestamp": UTC_TIME,
    "created_timestamp": UTC_TIME,
    "amount": pl.Int64,
}
CARD = Entity(name="card", join_keys=["card"], value_type=ValueType.INT64)
SHOP = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
KEYS = {"none": [], "one": [CARD], "two": [CARD, SHOP]}

hours = st.integers(0, 40 * 24)
rows_of_a_file = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 6)),
        st.sampled_from(["a", "b"]),
        st.one_of(st.none(), hours),
        st.one_of(st.none(), hours),
    ),
    max_size=12,
)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def written(folder: str, files: list[list[tuple[Any, ...]]]) -> list[dict[str, Any]]:
    """Writes each file; the rows in the order of the files, numbered by `amount`."""
    rows: list[dict[str, Any]] = []
    for number, cells in enumerate(files):
        new = [
            {
                "card": card,
                "shop": shop,
                "event_timestamp": None if event is None else at(event),
                "created_timestamp": None if created is None else at(created),
                "amount": len(rows) + place,
            }
            for place, (card, shop, event, created) in enumerate(cells)
        ]
        Path(folder, "steps").mkdir(exist_ok=True)
        pl.DataFrame(new, schema=SCHEMA).write_parquet(f"{folder}/steps/{number:03}.parquet")
        rows += new
    return rows


def view_table(folder: str, entities: list[Entity]) -> ViewTable:
    types = {"card": Int64, "shop": String}
    view = FeatureView(
        name="spending",
        entities=entities,
        schema=[Field(name=e.join_key, dtype=types[e.join_key]) for e in entities]
        + [Field(name="amount", dtype=Int64)],
        source=FileSource(
            path="steps",
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
        ),
    )
    return ViewTable(view, Lake.at(folder))


def expected(
    rows: list[dict[str, Any]], keys: list[str], counts: Callable[[dict[str, Any]], bool]
) -> dict[tuple[Any, ...], int]:
    """The `amount` of the newest row of each key, from the definition."""
    newest: dict[tuple[Any, ...], tuple[datetime, datetime, int]] = {}
    for row in rows:
        key, event = tuple(row[name] for name in keys), row["event_timestamp"]
        if event is None or None in key or not counts(row):
            continue
        version = (event, row["created_timestamp"] or event, row["amount"])
        newest[key] = max(newest.get(key, version), version)
    return {key: amount for key, (_, _, amount) in newest.items()}


@pytest.mark.parametrize("entities", KEYS.values(), ids=KEYS)
@settings(max_examples=60)
@given(
    files=st.lists(rows_of_a_file, min_size=1, max_size=10),
    end=hours,
    start=st.one_of(st.none(), hours),
    known=st.booleans(),
    limits=st.tuples(
        st.sampled_from([1, 2, 100]), st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([1, 3, 32])
    ),
)
def test_the_newest_row_of_every_key_is_found_whatever_the_files_and_the_limits(
    entities: list[Entity],
    files: list[list[tuple[Any, ...]]],
    end: int,
    start: int | None,
    known: bool,
    limits: tuple[int, float, int],
) -> None:
    last, first = at(end), None if start is None else at(start)
    chosen = Chosen(last, last if known else None, None if first is None else event_time >= first)

    def counts(row: dict[str, Any]) -> bool:
        event = row["event_timestamp"]
        return bool(
            event <= last
            and (first is None or event >= first)
            and (not known or (row["created_timestamp"] or event) <= last)
        )

    keys = [entity.join_key for entity in entities]
    at_once, recent, ranges = limits
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(reading, "_KEYS_AT_ONCE", at_once),
        patch.object(reading, "_RECENT", recent),
        patch.object(reading, "_RANGES", ranges),
    ):
        rows = written(folder, files)
        frames = list(newest_rows(view_table(folder, list(entities)), chosen=chosen))
    found = [row for frame in frames for row in frame.iter_rows(named=True)]
    amounts = {tuple(row[name] for name in keys): row["amount"] for row in found}
    assert len(amounts) == len(found)
    assert amounts == expected(rows, keys, counts)
    for frame in frames:
        assert_frame_equal(frame, frame.sort(keys) if keys else frame)


def test_only_the_named_files_are_looked_into(tmp_path: Path) -> None:
    written(str(tmp_path), [[(1, "a", 5, 5)], [(1, "a", 7, 7), (2, "a", 1, 1)], [(2, "a", 9, 9)]])
    table = view_table(str(tmp_path), [CARD])
    chosen = Chosen(at(100))
    (rows,) = newest_rows(table, chosen=chosen, files=["steps/000.parquet", "steps/001.parquet"])
    assert rows.select("card", "amount").rows() == [(1, 1), (2, 2)]
    assert list(newest_rows(table, chosen=chosen, files=[])) == []


def test_a_file_that_is_replaced_between_the_two_passes_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else card 1, whose newest row is at 9 in the old file, would get its row at 8."""
    files = [[(1, "a", 8, 8), (2, "a", 8, 8)], [(1, "a", 9, 9)]]
    written(str(tmp_path), files)
    replaced: list[str] = []
    passes = reading._newest_times

    def and_then_replaced(*arguments: Any) -> pl.DataFrame:
        found = passes(*arguments)
        if not replaced:
            written(str(tmp_path), [files[0], [(1, "a", 10, 10)]])
            replaced.append("once")
        return found

    monkeypatch.setattr(reading, "_newest_times", and_then_replaced)
    table = view_table(str(tmp_path), [CARD])
    (rows,) = newest_rows(table, chosen=Chosen(at(100)))
    assert rows.select("card", "amount").rows() == [(1, 2), (2, 1)]
    assert rows.get_column("event_timestamp").to_list() == [at(10), at(8)]


@pytest.mark.parametrize("ranges", [1, 2, 3, 50])
def test_the_ranges_hold_all_times_and_leave_out_the_longest_gaps(ranges: int) -> None:
    days = [0, 1, 20, 21, 22, 50, 51, 52]
    day_us = 86_400_000_000
    times = pl.Series([day * day_us for day in reversed(days)]).cast(UTC_TIME)
    with patch.object(reading, "_RANGES", ranges):
        found = reading._ranges(times)
    groups = {1: [(0, 52)], 2: [(0, 22), (50, 52)]}.get(ranges, [(0, 1), (20, 22), (50, 52)])
    assert found == [(first * day_us, last * day_us) for first, last in groups]


def test_what_reads_a_table_is_called_again_when_the_table_was_replaced(tmp_path: Path) -> None:
    written(str(tmp_path), [[(1, "a", 5, 5)]])
    source = SourceTable(Lake.at(tmp_path), "steps")
    seen: list[int] = []

    def read() -> int:
        rows = source.scan().collect()
        seen.append(rows.height)
        if len(seen) == 1:
            written(str(tmp_path), [[(1, "a", 5, 5), (2, "a", 5, 5)]])
        return rows.height

    assert source.read_unchanged(source.files, read) == 2
    assert seen == [1, 2]
