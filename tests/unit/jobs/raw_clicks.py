"""Raw clicks as files have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

HEADER = "ip,app,device,os,channel,click_time,attributed_time,is_attributed"
CLICK = "87540,12,1,13,497,2017-11-07 09:30:38,,0"
LATER = "87540,12,1,13,497,2017-11-07 09:30:39,,0"
ATTRIBUTED = "105560,25,1,17,259,2017-11-07 13:40:27,2017-11-07 15:00:00,1"


def write_clicks(path: Path, lines: Iterable[str], *, header: str = HEADER) -> Path:
    """The file at `path`, one line after another."""
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def line(values: Sequence[object]) -> str:
    """A line of a file; None is nothing."""
    return ",".join("" if value is None else str(value) for value in values)
