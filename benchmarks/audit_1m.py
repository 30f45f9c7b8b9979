"""Row `audit_1m`: a million vectors served over HTTP while views are materialised, then audited.

Twice: under hourly materialisation over one day of the real transactions, and under daily
materialisation over a week. Two workers answer batches while each run is under way; what they
have logged is laid beside the offline join, and a sample of the join beside SQL over raw events.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.row import Goal, Measurement
from benchmarks.serving_project import PREDICT, Project, Server, ours, project
from benchmarks.timing import python, timed_run
from lockstep.lake.lake import Lake
from lockstep.parity.audit_result import AuditResult, last_audit
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.windows.spec import EVENT_TIMESTAMP

VECTORS = 1_000_000
BATCH, CLIENTS = 1_000, 4
_TRIES = 20
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_HOURLY = [datetime(2018, 9, 28, tzinfo=UTC) + n * _HOUR for n in range(25)]
_DAILY = [datetime(2018, 9, 21, tzinfo=UTC) + n * _DAY for n in range(8)]
# Nothing may be dropped from the log, however slow the machine.
_SERVING = {
    "SERVING_WORKERS": "2",
    "SERVING_LOG_FLUSH_SECONDS": "1",
    "SERVING_LOG_MAX_ROWS": "1000000",
}
_FIRST = "2018-03-31T00:00:00+00:00"


def measure() -> Measurement:
    """Seconds of `lockstep audit`, process and all, of the hourly log; the causes of both logs."""
    made = project()
    with tempfile.TemporaryDirectory(prefix="lockstep-audit-") as folder:
        copy = Path(folder) / "project"
        # A ledger and a log of its own; models stay where the registry has them.
        shutil.copytree(made.folder, copy)
        found = {
            name: _audited(made, copy, cuts)
            for name, cuts in (("hourly", _HOURLY), ("daily", _DAILY))
        }
    extra: dict[str, float] = {}
    for name, (seconds, peak, result) in found.items():
        extra |= {f"{name}_s": seconds, f"{name}_peak_mb": peak}
        extra |= {f"{name}_{c.name.lower()}": n for c, n in result.causes.items()}
        extra |= {f"{name}_sql_values": result.sql.values}
    results = [result for _, _, result in found.values()]
    return Measurement(
        name="audit_1m",
        ours=found["hourly"][0],
        unit="s",
        rows=results[0].vectors,
        goals=(
            Goal("ours", "<=", 60),
            Goal("unexplained", "<=", 0),
            Goal("unchecked", "<=", 0),
            Goal("sql_mismatches", "<=", 0),
        ),
        extra=extra
        | {
            "unexplained": sum(result.unexplained + result.faults for result in results),
            "sql_mismatches": sum(result.sql.mismatches for result in results),
            "unchecked": sum(sum(result.unchecked.values()) for result in results),
        },
    )


def _audited(
    made: Project, folder: Path, cuts: Sequence[datetime]
) -> tuple[float, float, AuditResult]:
    """Seconds and peak memory of the audit of what was served from cut to cut, and its result."""
    lake = Lake.at(folder / ".lockstep" / "lake")
    for prefix in ("_ledger/", "fraud/predictions/", "fraud/served_features/"):
        lake.delete(lake.list(prefix))
    with embedded_redis() as url:
        env = made.env | {
            "LOCKSTEP_PROJECT_DIR": str(folder),
            "LOCKSTEP_MLFLOW_URI": f"sqlite:///{made.folder}/.lockstep/mlflow.db",
            "REDIS_URL": url,
        }
        own = replace(made, folder=folder, env=env)
        _materializing(own, cuts[0]).wait()
        with ours(own, **_SERVING) as server:
            for cut, until in pairwise(cuts):
                running = _materializing(own, cut)
                _serve(own, server, lake, cut, until, VECTORS // (len(cuts) - 1))
                if running.wait():
                    raise SystemExit(f"the materialisation up to {cut} failed")
                sys.stderr.write(f"  served from {cut} on\n")
        seconds, peak = timed_run(python("-m", "lockstep.cli", "audit", "fraud"), **env)
    result = last_audit(lake, "fraud")
    if result is None:
        raise SystemExit("the audit left no receipt")
    asked = VECTORS // (len(cuts) - 1) * (len(cuts) - 1)
    if result.vectors + sum(result.unchecked.values()) != asked:
        raise SystemExit(f"{asked:,} were asked for, {result.vectors:,} are in the log")
    sys.stderr.write(f"  {result.vectors:,} vectors, {seconds:.1f} s, {dict(result.causes)}\n")
    return seconds, peak, result


def _materializing(made: Project, end: datetime) -> subprocess.Popen[bytes]:
    words = ["materialize", "fraud", "--start", _FIRST, "--end", end.isoformat()]
    return subprocess.Popen(
        python("-m", "lockstep.cli", *words),
        env=os.environ | made.env,
        cwd=made.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _serve(
    made: Project, server: Server, lake: Lake, start: datetime, end: datetime, count: int
) -> None:
    """Asks for so many vectors of entities that paid, for Ts from start to end."""
    at = pl.col(EVENT_TIMESTAMP)
    paid = (
        lake.table("fraud/transactions")
        .scan()
        .filter(at >= start, at < end)
        .select("customer_id", "terminal_id", "amount_cents")
        .collect()
        .to_dicts()
    )
    drawn = random.Random(start.isoformat())
    length = (end - start) // timedelta(microseconds=1)
    rows = [
        drawn.choice(paid)
        | {"event_timestamp": (start + timedelta(microseconds=drawn.randrange(length))).isoformat()}
        for _ in range(count)
    ]
    batches = [rows[at : at + BATCH] for at in range(0, count, BATCH)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for client in [
            pool.submit(_ask, made, server, bodies) for bodies in _dealt(batches, CLIENTS)
        ]:
            client.result()


def _dealt(batches: list[list[dict[str, Any]]], hands: int) -> Iterator[list[bytes]]:
    for hand in range(hands):
        yield [json.dumps({"rows": rows}).encode() for rows in batches[hand::hands]]


def _ask(made: Project, server: Server, bodies: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Type": "application/json", "X-API-Key": made.key}
    for body in bodies:
        status, told = 503, b""
        # As a client would, where the machine is too busy for Redis to answer in time.
        for _ in range(_TRIES):
            connection.request("POST", f"{PREDICT}/batch", body, headers)
            answer = connection.getresponse()
            status, told = answer.status, answer.read()
            if status != 503:
                break
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        if status != 200:
            raise SystemExit(f"{status}: {told[:500]!r}")
    connection.close()
