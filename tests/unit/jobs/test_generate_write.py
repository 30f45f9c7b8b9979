"""How generated frames become one file."""

from __future__ import annotations

from collections.abc import Iterator
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
