"""What Feast keeps of a retrieval: one file, or a folder with nothing else in it."""

from __future__ import annotations

import polars as pl
import pytest
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

from lockstep.lake.lake import Lake
from lockstep.stores.retrieval_job import LockstepRetrievalJob

OLD, NEW = pl.DataFrame({"n": [1]}), pl.DataFrame({"n": [2, 3]})


def persist(rows: pl.DataFrame, lake: Lake, path: str, *, overwrite: bool = False) -> None:
    job = LockstepRetrievalJob(lambda: rows, lake=lake)
    job.persist(SavedDatasetFileStorage(path=path), allow_overwrite=overwrite)


@pytest.mark.parametrize(
    ("path", "key"),
    [("datasets/x.parquet", "datasets/x.parquet"), ("datasets/x", "datasets/x/part.parquet")],
)
def test_a_dataset_is_replaced_only_if_told_so(lake: Lake, path: str, key: str) -> None:
    persist(OLD, lake, path)
    with pytest.raises(SavedDatasetLocationAlreadyExists, match=f"{lake.uri}/{path}"):
        persist(NEW, lake, path)
    assert lake.read_parquet(key).equals(OLD)
    persist(NEW, lake, lake.address(path), overwrite=True)
    assert lake.read_parquet(key).equals(NEW)


def test_what_stood_in_the_folder_before_is_gone(lake: Lake) -> None:
    lake.write_parquet("datasets/x/older/0.parquet", OLD)
    lake.write_bytes("datasets/x/README", b"kept")
    persist(NEW, lake, "datasets/x", overwrite=True)
    assert lake.list("") == ["datasets/x/README", "datasets/x/part.parquet"]
