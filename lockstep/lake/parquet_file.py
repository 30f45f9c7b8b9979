"""A single parquet file, replaced atomically."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import polars as pl


def replace_parquet(target: Path, rows: pl.DataFrame) -> int:
    """The size in bytes of `target`, once it holds `rows`; readers see the old file or the new."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        rows.write_parquet(temporary, compression="zstd", compression_level=1)
        size = temporary.stat().st_size
        os.replace(temporary, target)  # noqa: PTH105  the atomic rename is the point
    finally:
        temporary.unlink(missing_ok=True)
    return size
