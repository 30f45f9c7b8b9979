"""Row `predict_batch_1000`: a thousand transactions in one request."""

from __future__ import annotations

import json
import time
from statistics import median

from benchmarks.row import Goal, Measurement
from benchmarks.serving_project import PREDICT, ours, post, project, row

ROWS = 1_000
RUNS = 30


def measure() -> Measurement:
    """Milliseconds from the request to the answer that was read, of one connection each."""
    made = project()
    body = json.dumps({"rows": [row(number) for number in range(ROWS)]}).encode()
    with ours(made) as server:
        times = []
        for _ in range(RUNS):
            started = time.perf_counter()
            answer = post(made, server, f"{PREDICT}/batch", body)
            times.append((time.perf_counter() - started) * 1000)
            if not all("prediction" in one for one in json.loads(answer)["rows"]):
                raise SystemExit("a row was not predicted")
    return Measurement(
        name="predict_batch_1000",
        ours=median(times),
        unit="ms",
        rows=ROWS,
        goals=(Goal("ours", "<=", 30),),
        extra={"slowest_ms": max(times)},
    )
