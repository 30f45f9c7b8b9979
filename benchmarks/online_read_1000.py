"""Row `online_read_1000`: features of 1000 entities against Feast's SDK and bare hiredis."""

from __future__ import annotations

from benchmarks import online_read
from benchmarks.row import Measurement


def measure() -> Measurement:
    """Milliseconds of a request."""
    return online_read.measure("online_read_1000", 1000, times_faster=12, requests=15)
