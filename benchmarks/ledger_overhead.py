"""Row `ledger_overhead`: CPU that the ledger adds to each row that is materialised."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.materialize_steps import ENTITIES
from benchmarks.offline_repo import built_lake, joined
from benchmarks.row import Goal, Measurement
from lockstep.stores.embedded_redis import embedded_redis

RUNS = 7
_MATERIALIZE = """
from datetime import UTC, datetime
import os
from redis import Redis
from lockstep.stores import engine
url = os.environ["REDIS_URL"]
with Redis.from_url(url) as redis:
    redis.flushall()
if os.environ["BENCH_LEDGER"] == "off":
    class NoHash:
        def __init__(self, schema): pass
        def update(self, rows): pass
        def hexdigest(self): return ""
    engine.ContentHash, engine.append = NoHash, lambda lake, row: None
store, refs = project(
    online_store={"type": "lockstep.stores.online.LockstepOnlineStore"},
    batch_engine={"type": "lockstep.stores.engine.LockstepComputeEngine"},
)
started = time.process_time()
store.materialize(datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 10, 1, tzinfo=UTC))
told.write_text(str(time.process_time() - started))
"""


def measure() -> Measurement:
    """Microseconds of CPU a row, with the ledger less without it, by turns."""
    with built_lake() as (folder, env), embedded_redis() as url:
        env |= {"REDIS_URL": url}
        pairs = [
            [_cpu_us(folder, env | {"BENCH_LEDGER": ledger}) for ledger in ("on", "off")]
            for _ in range(RUNS)
        ]
    return Measurement(
        name="ledger_overhead",
        ours=median(with_it - without for with_it, without in pairs),
        unit="us",
        rows=ENTITIES,
        goals=(Goal("ours", "<=", 2),),
        extra={
            "with_ledger_us": median(pair[0] for pair in pairs),
            "without_us": median(pair[1] for pair in pairs),
        },
    )


def _cpu_us(folder: Path, env: dict[str, str]) -> float:
    seconds, _ = joined(_MATERIALIZE, folder, "lockstep", 1, env)
    return seconds / ENTITIES * 1e6
