"""Row `online_read_100`: features of 100 entities against Feast's SDK and bare hiredis."""

from __future__ import annotations

from benchmarks import online_read
from benchmarks.row import Measurement


def measure() -> Measurement:
    """Milliseconds of a request."""
    return online_read.measure("online_read_100", 100, times_faster=10, requests=40)
