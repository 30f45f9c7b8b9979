"""Row `feature_log_overhead`: CPU that the log of served features adds to a request."""

from __future__ import annotations

from statistics import median

from benchmarks.row import Goal, Measurement
from benchmarks.serving_project import PREDICT, Project, Server, ours, project, requests_a_second

ROUNDS = 5
SECONDS = 5
CONNECTIONS = 64


def measure() -> Measurement:
    """Microseconds of the worker's CPU a request, with the log and without, in turn."""
    made = project()
    with ours(made) as logging, ours(made, SERVING_LOG_SHARE="0") as silent:
        pairs = [(_cpu_us(made, logging), _cpu_us(made, silent)) for _ in range(ROUNDS)]
    return Measurement(
        name="feature_log_overhead",
        ours=median(with_log - without for with_log, without in pairs),
        unit="us",
        rows=1,
        goals=(Goal("ours", "<=", 30),),
        extra={
            "with_log_us": median(pair[0] for pair in pairs),
            "without_us": median(pair[1] for pair in pairs),
        },
    )


def _cpu_us(made: Project, server: Server) -> float:
    before = server.cpu_seconds
    rate = requests_a_second(made, server, PREDICT, connections=CONNECTIONS, seconds=SECONDS)
    return (server.cpu_seconds - before) / (rate * SECONDS) * 1e6
