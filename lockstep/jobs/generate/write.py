"""Generated rows to a file, without ever holding all of them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq


def write_frames(target: Path, frames: Iterable[pl.DataFrame]) -> int:
    """How many rows stand in `target`, a parquet file with a row group for each frame.

    Whoever reads it meanwhile sees the old file. There is at least one frame.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    tables = (frame.to_arrow() for frame in frames)
    first, rows = next(tables), 0
    try:
        with pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer:
            for table in chain([first], tables):
                writer.write_table(table)
                rows += len(table)
        os.replace(temporary, target)  # noqa: PTH105  the atomic rename is the point
    finally:
        temporary.unlink(missing_ok=True)
    return rows
