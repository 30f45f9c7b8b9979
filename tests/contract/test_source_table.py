"""The parquet behind a source: found in each of its forms, or named in the error."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from feast import FileSource

from lockstep.lake.lake import Lake
from lockstep.stores.errors import SourceError
from lockstep.stores.source_table import SourceTable

NOWHERE = Lake.at("/nowhere")


def rows(*numbers: int) -> pl.DataFrame:
    at = [datetime(2018, 4, n, tzinfo=UTC) for n in numbers]
    return pl.DataFrame({"n": numbers, "at": at})


def numbers(table: SourceTable, query: pl.LazyFrame | None = None) -> list[int]:
    found = table.collect(table.scan() if query is None else query)
    return found.get_column("n").to_list()


def test_a_table_of_the_lake_is_read_day_after_day(lake: Lake) -> None:
    lake_table = lake.table("fraud/steps")
    for day in (2, 1, 3):
        lake_table.write_day(date(2018, 4, day), rows(day))
    lake_table.write_metadata({"horizon": "2018-04-04T00:00:00+00:00"})
    for beside in ("_state.parquet", "_staging/day=2018-04-09/part.parquet"):
        lake.write_parquet(lake_table.key(beside), rows(9))
    table = SourceTable.of(FileSource(path="fraud/steps"), lake)
    assert numbers(table) == [1, 2, 3]
    assert table.horizon() == datetime(2018, 4, 4, tzinfo=UTC)


def test_an_absolute_path_is_wherever_it_says(lake: Lake) -> None:
    lake.table("fraud/steps").write_day(date(2018, 4, 1), rows(1))
    table = SourceTable.of(FileSource(path=lake.address("fraud/steps")), NOWHERE)
    assert numbers(table) == [1]


def test_a_file_and_a_folder_of_files_are_read_and_have_no_horizon(lake: Lake) -> None:
    lake.write_parquet("folder/b.parquet", rows(2))
    lake.write_parquet("folder/a.parquet", rows(1))
    for hidden in ("_SUCCESS.parquet", "_old/c.parquet", ".copies/c.parquet", "c.parquet.crc"):
        lake.write_bytes(f"folder/{hidden}", b"not read")
    for path in ("folder", "folder/"):
        folder = SourceTable.of(FileSource(path=path), lake)
        assert numbers(folder) == [1, 2]
        assert folder.horizon() is None
    file = SourceTable.of(FileSource(path="folder/b.parquet"), lake)
    assert numbers(file) == [2]
    assert file.horizon() is None


def test_somebody_elses_days_are_read_whatever_their_files_are_called(lake: Lake) -> None:
    for day in (2, 1):
        lake.write_parquet(f"theirs/day=2018-04-0{day}/part-0-c000.snappy.parquet", rows(day))
    assert numbers(SourceTable(lake, "theirs")) == [1, 2]


def test_a_stray_file_among_our_days_is_named(lake: Lake) -> None:
    lake.table("ours").write_day(date(2018, 4, 1), rows(1))
    lake.write_parquet("ours/day=2018-04-01/stray.parquet", rows(2))
    with pytest.raises(SourceError, match=r"stray.parquet is not a day partition of Lockstep"):
        SourceTable(lake, "ours").scan()


def test_a_range_includes_both_ends(lake: Lake) -> None:
    lake.write_parquet("t.parquet", rows(1, 2, 3, 4))
    table = SourceTable(lake, "t.parquet")
    second, third = (datetime(2018, 4, day, tzinfo=UTC) for day in (2, 3))

    def between(start: datetime | None, end: datetime | None) -> list[int]:
        return numbers(table, table.scan_between(["n", "at"], "at", start, end))

    assert between(second, third) == [2, 3]
    assert between(third.replace(tzinfo=None), None) == [3, 4]
    assert between(None, None) == [1, 2, 3, 4]


def test_days_out_of_range_are_not_read(lake: Lake) -> None:
    """Their columns are overwritten, so that reading them would fail; their ends are whole."""
    lake_table = lake.table("steps")
    for day in (1, 2, 3):
        lake_table.write_day(date(2018, 4, day), pl.concat([rows(day)] * 5000))
    for day in (1, 3):
        key = lake_table.part(date(2018, 4, day))
        whole = lake.read_bytes(key)
        footer = int.from_bytes(whole[-8:-4], "little") + 8
        lake.write_bytes(key, bytes(len(whole) - footer) + whole[-footer:])
    table = SourceTable(lake, "steps")
    second = datetime(2018, 4, 2, tzinfo=UTC)
    found = table.collect(table.scan_between(["n", "at"], "at", second, second))
    assert found.get_column("n").to_list() == [2] * 5000
    with pytest.raises(SourceError, match=r"day=2018-04-01/part.parquet cannot be read"):
        table.collect(table.scan())


def test_a_query_that_fails_on_the_values_blames_no_file(lake: Lake) -> None:
    lake.write_parquet("t.parquet", pl.DataFrame({"n": ["1", "seven"]}))
    table = SourceTable(lake, "t.parquet")
    with pytest.raises(SourceError, match=r"the rows of .*t.parquet are not as asked for \(conv"):
        table.collect(table.scan().cast(pl.Int64))


def test_a_missing_table_names_its_place_and_the_command(lake: Lake) -> None:
    for source in (FileSource(path="fraud/steps"), FileSource(path=lake.address("fraud/steps"))):
        table = SourceTable.of(source, lake)
        with pytest.raises(SourceError, match=rf"{lake.uri}/fraud/steps; run `lockstep build`"):
            table.scan()
        assert not table.exists()


def test_what_is_not_parquet_is_named(lake: Lake) -> None:
    lake.write_bytes("t.parquet", b"this is not parquet")
    table = SourceTable(lake, "t.parquet")
    assert table.exists()
    with pytest.raises(SourceError, match=r"t\.parquet cannot be read as parquet"):
        _ = table.schema
    with pytest.raises(SourceError, match=r"t\.parquet cannot be read as parquet"):
        table.collect(table.scan())


def test_missing_columns_and_times_that_are_none_are_named(lake: Lake) -> None:
    lake.write_parquet("t.parquet", rows(1))
    table = SourceTable(lake, "t.parquet")
    with pytest.raises(SourceError, match=r"lacks \['x'\]"):
        table.scan_between(["n", "x"], "at", None, None)
    with pytest.raises(SourceError, match="'n' of .* is Int64, expected a time"):
        table.scan_between(["n"], "n", None, None)
