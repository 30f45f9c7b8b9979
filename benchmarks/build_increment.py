"""Row `build_increment`: one more day of both window tables of twenty towns."""

from __future__ import annotations

import sys
from datetime import timedelta
from statistics import median

from benchmarks.build_20x import FULL_END, LAST_DAYS, built_20x, timed_build
from benchmarks.row import Goal, Measurement

_DAY = timedelta(days=1)


def measure() -> Measurement:
    """The median of successive days, and its share of the time of the full build before them."""
    full = built_20x()
    times, peaks = [], []
    for day in range(LAST_DAYS):
        start = FULL_END + day * _DAY
        seconds, peak = timed_build(full.lake, start + _DAY, start)
        sys.stderr.write(f"  {start:%Y-%m-%d}: {seconds:.1f} s\n")
        times.append(seconds)
        peaks.append(peak)
    return Measurement(
        name="build_increment",
        ours=median(times),
        unit="s",
        rows=full.rows,
        goals=(Goal("share_of_full", "<=", 0.03),),
        extra={"share_of_full": median(times) / full.seconds, "peak_mb": max(peaks)},
    )
