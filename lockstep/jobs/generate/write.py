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
    """How many rows stand in `target`: CSV where its name ends in `.csv`, else parquet.

    Parquet has a row group for each frame. Whoever reads the file meanwhile sees the old one.
    There is at least one frame.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    write = _csv if target.suffix == ".csv" else _parquet
    try:
        rows = write(temporary, frames)
        os.replace(temporary, target)  # noqa: PTH105  the atomic rename is the point
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def _parquet(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    tables = (frame.to_arrow() for frame in frames)
    first, rows = next(tables), 0
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        for table in chain([first], tables):
            writer.write_table(table)
            rows += len(table)
    return rows


def _csv(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    rows = 0
    with path.open("wb") as file:
        for number, frame in enumerate(frames):
            # Fractions of a second are written where there are any.
            form = "%Y-%m-%d %H:%M:%S%.f"
            frame.write_csv(file, include_header=number == 0, datetime_format=form)
            rows += len(frame)
    return rows
