"""Part of a file that can be read without the rest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stretch:
    """[start, stop) of a file, in bytes of text or in rows of parquet; `rows` stand there."""

    start: int
    stop: int
    rows: int
