"""How generated frames become one file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from lockstep.jobs.generate.write import write_frames


def test_a_file_gets_a_row_group_for_each_frame_or_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "raw" / "fraud.parquet"
    frames = [pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [3]})]
    assert write_frames(target, frames) == 3
    assert pq.read_metadata(target).num_row_groups == 2
    assert pl.read_parquet(target)["a"].to_list() == [1, 2, 3]

    def broken() -> Iterator[pl.DataFrame]:
        yield frames[1]
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_frames(target, broken())
    assert [path.name for path in target.parent.iterdir()] == ["fraud.parquet"]
    assert pl.read_parquet(target)["a"].to_list() == [1, 2, 3]


def test_a_name_that_ends_in_csv_gets_text(tmp_path: Path) -> None:
    whole, part = datetime(2017, 11, 6, 9, 30), datetime(2017, 11, 6, 9, 30, 0, 250_000)
    frames = [
        pl.DataFrame({"a": [1, None], "t": [whole, part]}),
        pl.DataFrame({"a": [3], "t": whole}),
    ]
    assert write_frames(tmp_path / "clicks.csv", frames) == 3
    text = "a,t\n1,2017-11-06 09:30:00\n,2017-11-06 09:30:00.250\n3,2017-11-06 09:30:00\n"
    assert (tmp_path / "clicks.csv").read_text() == text
