"""Readers see an object's old version or its new one, whenever it is replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest

from lockstep.lake import parquet
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.lake.parquet import collect

KEY = "x.parquet"
ROWS = 30_000


def version(number: int) -> pl.DataFrame:
    """Rows that say in each column of which version they are; all versions have one layout."""
    noise = np.random.default_rng(7)
    return pl.DataFrame(
        {f"c{n}": noise.integers(0, 2**60, ROWS) // 4 * 4 + number for n in range(4)}
    )


def versions_in(rows: pl.DataFrame) -> set[int]:
    return {number for column in rows for number in (column % 4).unique()}


@contextmanager
def replacing(lake: Lake) -> Iterator[None]:
    """Versions 0 and 1 take turns, as fast as they can be written."""
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            number = 1 - number
            lake.write_parquet(KEY, version(number))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_no_read_ever_mixes_versions(lake: Lake) -> None:
    sizes = {lake.write_parquet(KEY, version(number)) for number in range(2)}
    assert len(sizes) == 1, "only versions of one layout can be mixed without an error"
    read = 0
    with replacing(lake):
        for _ in range(15):
            try:
                seen = versions_in(lake.read_parquet(KEY))
            except LakeError as error:
                assert "was being replaced whenever it was read" in str(error)
                continue
            assert len(seen) == 1
            read += 1
    assert read


def test_what_was_replaced_during_the_read_is_read_again(lake: Lake) -> None:
    lake.write_parquet(KEY, version(0))

    def replace_once(rows: pl.DataFrame) -> pl.DataFrame:
        if versions_in(rows) == {0}:
            lake.write_parquet(KEY, version(1))
        return rows

    rows = lake.scan_parquet([KEY]).map_batches(replace_once)
    assert versions_in(collect(lake, [KEY], rows)) == {1}


def test_what_is_replaced_at_every_read_is_an_error(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_PAUSES_SECONDS", (0, 0, 0))
    lake.write_parquet(KEY, version(0))

    def replace(rows: pl.DataFrame) -> pl.DataFrame:
        (number,) = versions_in(rows)
        lake.write_parquet(KEY, version((number + 1) % 4))
        return rows

    rows = lake.scan_parquet([KEY]).map_batches(replace)
    with pytest.raises(LakeError, match=rf"{KEY} was being replaced whenever it was read"):
        collect(lake, [KEY], rows)


@pytest.mark.parametrize("columns", [1, 4])
def test_a_query_that_remembers_the_old_object_reads_the_new_one(lake: Lake, columns: int) -> None:
    lake.write_parquet(KEY, version(0))
    rows = lake.scan_parquet([KEY]).select(f"c{n}" for n in range(columns))
    rows.collect_schema()
    lake.write_parquet(KEY, version(1).head(100))
    assert collect(lake, [KEY], rows).equals(version(1).head(100)[:, :columns])


def test_an_object_that_is_removed_meanwhile_is_named(lake: Lake) -> None:
    lake.write_parquet(KEY, version(0))
    rows = lake.scan_parquet([KEY])
    lake.delete([KEY])
    with pytest.raises(LakeError, match=rf"there is nothing at {lake.uri}/{KEY}"):
        collect(lake, [KEY], rows)
