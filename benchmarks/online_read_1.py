"""Row `online_read_1`: features of one entity against Feast's SDK and bare hiredis."""

from __future__ import annotations

from benchmarks import online_read
from benchmarks.row import Measurement


def measure() -> Measurement:
    """Milliseconds of a request."""
    return online_read.measure("online_read_1", 1, times_faster=5, requests=200)
