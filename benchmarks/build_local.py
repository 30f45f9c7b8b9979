"""Row `build_local`: both window tables of the real transactions against DuckDB."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.row import Goal, Measurement
from benchmarks.timing import python, timed_run

RUNS = 3
OURS = """
import sys, time
from pathlib import Path
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.build import build
from lockstep.lake.lake import Lake
started = time.monotonic()
receipts = build(
    Lake.at(sys.argv[1]),
    (CUSTOMER_WINDOWS, TERMINAL_WINDOWS),
    clock=SystemClock(),
    progress=lambda what, share: None,
)
Path(sys.argv[2]).write_text(f"{time.monotonic() - started}\\n")
for receipt in receipts:
    sys.stderr.write(f"  {receipt.table}: {receipt.seconds} s, {receipt.steps} steps\\n")
"""
_PEER = """
import sys, time
import duckdb
lake, out, times = sys.argv[1:]
views = [("customer_id", "amount_cents", "transactions"), ("terminal_id", "fraud", "verdicts")]
for key, value, table in views:
    started = time.monotonic()
    db = duckdb.connect()
    frames = ", ".join(
        f"w{d} as (partition by {key} order by event_timestamp range between "
        f"interval {d} day preceding and interval 1 microsecond preceding)" for d in (1, 7, 30)
    )
    columns = ", ".join(
        f"count(*) over w{d}, sum({value}) over w{d}, avg({value}) over w{d}" for d in (1, 7, 30)
    )
    db.execute(
        f"copy (select {key}, event_timestamp, {columns} "
        f"from read_parquet('{lake}/fraud/{table}/*/part.parquet') window {frames}) "
        f"to '{out}/{table}.parquet' (format parquet)"
    )
    with open(times, "a") as file:
        file.write(f"{time.monotonic() - started}\\n")
"""


def measure() -> Measurement:
    """Seconds inside each process, imports left out on both sides; our peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        home, env = Path(folder), ingested(folder)
        ours, peer, peaks = [], [], []
        for run in range(RUNS):
            mine, theirs = home / f"ours{run}", home / f"peer{run}"
            _, peak = timed_run(python("-c", OURS, str(home / "lake"), str(mine)), **env)
            timed_run(python("-c", _PEER, str(home / "lake"), folder, str(theirs)), **env)
            ours.append(total(mine))
            peer.append(total(theirs))
            peaks.append(peak)
    return Measurement(
        name="build_local",
        ours=median(ours),
        peer=median(peer),
        unit="s",
        rows=1_754_155,
        goals=(Goal("ratio_to_peer", ">=", 0.333), Goal("peak_mb", "<=", 3000)),
        extra={"peak_mb": median(peaks)},
    )


def ingested(folder: str) -> dict[str, str]:
    """The environment of a project in `folder` whose lake has the real transactions."""
    env = {"LOCKSTEP_HOME": folder, "OMP_NUM_THREADS": str(os.cpu_count())}
    timed_run(python("-m", "lockstep.cli", "ingest", "fraud", "--from", _real_file()), **env)
    return env


def total(times: Path) -> float:
    """The sum of the seconds that a process wrote, one a line."""
    return sum(float(line) for line in times.read_text().split())


def _real_file() -> str:
    folder = os.environ.get("LOCKSTEP_REAL_DATA", "")
    file = Path(folder) / "handbook_transactions.parquet"
    if not file.is_file():
        raise SystemExit("set LOCKSTEP_REAL_DATA to the folder of handbook_transactions.parquet")
    return str(file)
