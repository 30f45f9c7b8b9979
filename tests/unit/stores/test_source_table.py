"""The parquet behind a source: found in each of its forms, or named in the error."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from feast import FileSource, PushSource
from feast.data_format import DeltaFormat
from feast.data_source import DataSource

from lockstep.lake.table import LakeTable
from lockstep.stores.errors import SourceError
from lockstep.stores.source_table import SourceTable


def rows(*numbers: int) -> pl.DataFrame:
    at = [datetime(2018, 4, n, tzinfo=UTC) for n in numbers]
    return pl.DataFrame({"n": numbers, "at": at})


def numbers(query: pl.LazyFrame) -> list[int]:
    return query.collect().get_column("n").to_list()


def test_a_table_of_the_lake_is_read_day_after_day(tmp_path: Path) -> None:
    lake_table = LakeTable(tmp_path, "fraud/steps")
    for day in (2, 1, 3):
        lake_table.write_day(date(2018, 4, day), rows(day))
    lake_table.write_metadata({"horizon": "2018-04-04T00:00:00+00:00"})
    table = SourceTable.of(FileSource(path="fraud/steps"), tmp_path)
    assert numbers(table.scan()) == [1, 2, 3]
    assert table.horizon() == datetime(2018, 4, 4, tzinfo=UTC)


def test_a_file_and_a_folder_of_files_are_read_and_have_no_horizon(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    rows(2).write_parquet(tmp_path / "folder" / "b.parquet")
    rows(1).write_parquet(tmp_path / "folder" / "a.parquet")
    (tmp_path / "folder" / "_SUCCESS.parquet").write_text("not read")
    folder = SourceTable.of(FileSource(path="folder"), tmp_path)
    file = SourceTable.of(FileSource(path=f"file://{tmp_path}/folder/b.parquet"), Path("/nowhere"))
    assert numbers(folder.scan()) == [1, 2]
    assert numbers(file.scan()) == [2]
    assert folder.horizon() is None


def test_a_range_includes_both_ends(tmp_path: Path) -> None:
    rows(1, 2, 3, 4).write_parquet(tmp_path / "t.parquet")
    table = SourceTable(tmp_path / "t.parquet")
    second, third = (datetime(2018, 4, day, tzinfo=UTC) for day in (2, 3))
    assert numbers(table.scan_between(["n", "at"], "at", second, third)) == [2, 3]
    naive = third.replace(tzinfo=None)
    assert numbers(table.scan_between(["n", "at"], "at", naive, None)) == [3, 4]
    assert numbers(table.scan_between(["n", "at"], "at", None, None)) == [1, 2, 3, 4]


def test_a_missing_table_names_its_path_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"{tmp_path}/fraud/steps; run `lockstep build`"):
        SourceTable.of(FileSource(path="fraud/steps"), tmp_path).scan()


def test_what_is_not_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("this is not parquet")
    table = SourceTable(tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"t\.parquet cannot be read as parquet"):
        table.schema()
    with pytest.raises(SourceError, match=r"t\.parquet cannot be read as parquet"):
        table.collect(table.scan())


def test_missing_columns_and_times_that_are_none_are_named(tmp_path: Path) -> None:
    rows(1).write_parquet(tmp_path / "t.parquet")
    table = SourceTable(tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"lacks \['x'\]"):
        table.scan_between(["n", "x"], "at", None, None)
    with pytest.raises(SourceError, match="'n' of .* is Int64, expected a time"):
        table.scan_between(["n"], "n", None, None)


@pytest.mark.parametrize(
    "source",
    [
        FileSource(path="s3://bucket/steps"),
        FileSource(path="steps", file_format=DeltaFormat()),
        PushSource(name="push", batch_source=FileSource(path="steps", name="steps")),
    ],
)
def test_sources_that_are_not_local_parquet_are_refused(source: DataSource) -> None:
    with pytest.raises(SourceError, match="cannot be read, expected"):
        SourceTable.of(source, Path("/lake"))
