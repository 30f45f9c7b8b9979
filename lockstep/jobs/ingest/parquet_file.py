"""A single parquet file that is replaced atomically, for what is not a day of a table."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import polars as pl


def replace_parquet(target: Path, rows: pl.DataFrame) -> None:
    """Writes `rows` to `target` in one step: a reader sees the old file or the new one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        rows.write_parquet(temporary, compression="zstd", compression_level=1)
        os.replace(temporary, target)  # noqa: PTH105  the atomic rename is the point
    finally:
        temporary.unlink(missing_ok=True)
