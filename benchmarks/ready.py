"""Row `ready`: from the command to an answer of /ready, and a worker's memory."""

from __future__ import annotations

import json
from statistics import median

from benchmarks.row import Goal, Measurement
from benchmarks.serving_project import PREDICT, ours, post, project, row

RUNS = 5


def measure() -> Measurement:
    """Seconds of a start with a local registry, and of the first, which compiles the plan too."""
    made = project()
    with ours(made) as first:
        pass
    seconds, memory = [], []
    for _ in range(RUNS):
        with ours(made) as server:
            post(made, server, PREDICT, json.dumps(row(1)).encode())
            seconds.append(server.ready_seconds)
            memory.append(server.process.memory_info().rss / 1e6)
    return Measurement(
        name="ready",
        ours=median(seconds),
        unit="s",
        rows=1,
        goals=(Goal("ours", "<=", 6), Goal("worker_mb", "<=", 400)),
        extra={"worker_mb": median(memory), "first_s": first.ready_seconds},
    )
