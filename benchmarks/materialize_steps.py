"""Row `materialize_steps`: 15,000 entities out of both window tables' steps into Redis."""

from __future__ import annotations

from statistics import median

from benchmarks.offline_repo import built_lake, joined
from benchmarks.row import Goal, Measurement
from lockstep.stores.embedded_redis import embedded_redis

RUNS = 5
ENTITIES = 15_000
# Both sides write all views in one call of Feast's API; imports and `apply` are left out.
_MATERIALIZE = """
from datetime import UTC, datetime
from urllib.parse import urlsplit
import os
from redis import Redis
url = os.environ["BENCH_REDIS"]
with Redis.from_url(url) as redis:
    redis.flushall()
if kind == "lockstep":
    os.environ["REDIS_URL"] = url
    ONLINE = {"type": "lockstep.stores.online.LockstepOnlineStore"}
    ENGINE = {"type": "lockstep.stores.engine.LockstepComputeEngine"}
else:
    ONLINE = {"type": "redis", "connection_string": urlsplit(url).netloc}
    ENGINE = {"type": "local"}
store, refs = project(online_store=ONLINE, batch_engine=ENGINE)
started = time.monotonic()
store.materialize(datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 10, 1, tzinfo=UTC))
told.write_text(str(time.monotonic() - started))
with Redis.from_url(url) as redis:
    sys.stderr.write(f"  {redis.dbsize():,} keys\\n")
"""


def measure() -> Measurement:
    """Our engine and stores against Feast's local engine, DuckDB store and Redis store."""
    with built_lake() as (folder, env), embedded_redis() as url:
        env |= {"BENCH_REDIS": url}
        ours, peaks, peer, peer_peaks = [], [], [], []
        for _ in range(RUNS):
            seconds, peak = joined(_MATERIALIZE, folder, "lockstep", 1, env)
            ours.append(seconds)
            peaks.append(peak)
            seconds, peak = joined(_MATERIALIZE, folder, "duckdb", 1, env)
            peer.append(seconds)
            peer_peaks.append(peak)
    return Measurement(
        name="materialize_steps",
        ours=median(ours),
        peer=median(peer),
        unit="s",
        rows=ENTITIES,
        goals=(Goal("ratio_to_peer", ">=", 20),),
        extra={"peak_mb": median(peaks), "peer_peak_mb": median(peer_peaks)},
    )
