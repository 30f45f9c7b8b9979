"""Row `predict_throughput`: requests a second of one worker, against Feast and an empty route."""

from __future__ import annotations

from statistics import median

from benchmarks.row import Goal, Measurement
from benchmarks.serving_project import (
    FEAST,
    PREDICT,
    bare,
    feast_serve,
    ours,
    project,
    requests_a_second,
)

ROUNDS = 5
SECONDS = 5
CONNECTIONS = 64


def measure() -> Measurement:
    """Closed loops of wrk, the sides in turn; the feature log is on, as by default."""
    made = project()
    with ours(made) as us, feast_serve(made) as peer, bare(made) as limit:
        sides = ((us, PREDICT), (peer, FEAST), (limit, "/"))
        rates: list[list[float]] = [[], [], []]
        for _ in range(ROUNDS):
            for found, (server, path) in zip(rates, sides, strict=True):
                rate = requests_a_second(
                    made, server, path, connections=CONNECTIONS, seconds=SECONDS
                )
                found.append(rate)
        worker_mb = us.process.memory_info().rss / 1e6
    rate, peers, most = map(median, rates)
    return Measurement(
        name="predict_throughput",
        ours=rate,
        peer=peers,
        limit=most,
        unit="requests/s",
        rows=1,
        larger_is_better=True,
        goals=(
            Goal("ratio_to_peer", ">=", 8),
            Goal("ratio_to_limit", ">=", 0.4),
            Goal("worker_mb", "<=", 400),
        ),
        extra={"connections": CONNECTIONS, "worker_mb": worker_mb},
    )
