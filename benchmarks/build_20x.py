"""Row `build_20x`: both window tables of twenty towns, against twenty times one town's time."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from statistics import median

from benchmarks.lake_20x import TOWN, TOWNS, write_towns
from benchmarks.row import Goal, Measurement
from benchmarks.timing import python, timed_run
from lockstep.lake.lake import Lake

RUNS_OF_ONE = 3
# Days that are left to the increments of `build_increment`.
LAST_DAYS = 3
FULL_END = datetime.combine(TOWN.start, datetime.min.time()) + timedelta(days=TOWN.days - LAST_DAYS)
_BUILD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.lake.lake import Lake
lake, seconds, end, *start = sys.argv[1:]
instants = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (end, *start)]
shown = [0.0]
def progress(what, share):
    if time.monotonic() - shown[0] > 15:
        shown[0] = time.monotonic()
        sys.stderr.write(f"  {what} ({share:.0%})\\n")
started = time.monotonic()
build(
    Lake.at(lake),
    (CUSTOMER_WINDOWS, TERMINAL_WINDOWS),
    end=instants[0],
    start=instants[1] if start else None,
    clock=SystemClock(),
    progress=progress,
)
Path(seconds).write_text(str(time.monotonic() - started))
sys.stderr.write(f"  built in {time.process_time():.0f} s of processor time\\n")
"""


@dataclass(frozen=True)
class Built:
    """Towns built whole up to `FULL_END`: both tables together, in a process of their own."""

    lake: Lake
    rows: int
    seconds: float
    peak_mb: float


def timed_build(lake: Lake, end: datetime, start: datetime | None = None) -> tuple[float, float]:
    """Seconds inside the process, imports left out, and its peak memory in 10^6 bytes."""
    with tempfile.NamedTemporaryFile() as file:
        instants = [instant.isoformat() for instant in (end, start) if instant]
        _, peak = timed_run(python("-c", _BUILD, lake.uri, file.name, *instants))
        return float(Path(file.name).read_text()), peak


@cache
def built_20x() -> Built:
    """All towns; made once a process, removed when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="lockstep-20x-")
    _FOLDERS.append(folder)
    return _built(Lake.at(folder.name), TOWNS)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def measure() -> Measurement:
    """One build of all towns, the median of some of one; growth is 1 where time is linear."""
    with tempfile.TemporaryDirectory() as folder:
        one = _built(Lake.at(folder), TOWNS[:1])
        times = [one.seconds, *(timed_build(one.lake, FULL_END)[0] for _ in range(RUNS_OF_ONE - 1))]
    linear = median(times) / one.rows
    big = built_20x()
    sys.stderr.write(f"  one town {median(times):.1f} s, all of them {big.seconds:.1f} s\n")
    return Measurement(
        name="build_20x",
        ours=big.seconds,
        unit="s",
        rows=big.rows,
        goals=(Goal("peak_mb", "<=", 6000), Goal("growth", "<=", 1.2)),
        extra={"peak_mb": big.peak_mb, "growth": big.seconds / big.rows / linear},
    )


def _built(lake: Lake, towns: range) -> Built:
    rows = write_towns(lake, towns)
    return Built(lake, rows, *timed_build(lake, FULL_END))
