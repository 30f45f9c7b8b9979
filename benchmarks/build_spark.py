"""Row `build_spark`: both window tables of the real transactions, ours and Spark's own frames."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.build_local import ingested, total
from benchmarks.row import Goal, Measurement
from benchmarks.timing import python, timed_run

RUNS = 3
_OURS = """
import sys, time
from pathlib import Path
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.contract.clock import SystemClock
from lockstep.jobs.spark.build import build_with_spark
from lockstep.lake.spark.session import spark_session
from lockstep.lake.lake import Lake
lake, times = Lake.at(sys.argv[1]), Path(sys.argv[2])
spark_session("ours", lake=lake)
started = time.monotonic()
receipts = build_with_spark(
    lake,
    (CUSTOMER_WINDOWS, TERMINAL_WINDOWS),
    clock=SystemClock(),
    progress=lambda what, share: None,
)
times.write_text(f"{time.monotonic() - started}\\n")
for receipt in receipts:
    sys.stderr.write(f"  {receipt.table}: {receipt.seconds} s, {receipt.peak_mb} MB a task\\n")
times.with_suffix(".peak").write_text(str(max(receipt.peak_mb for receipt in receipts)))
"""
_PEER = """
import sys, time
from lockstep.lake.spark.session import spark_session
from lockstep.lake.lake import Lake
lake, out, times = sys.argv[1:]
spark = spark_session("peer", lake=Lake.at(lake))
views = [("customer_id", "amount_cents", "transactions"), ("terminal_id", "fraud", "verdicts")]
for key, value, table in views:
    started = time.monotonic()
    spark.read.parquet(f"{lake}/fraud/{table}/*/part.parquet").createOrReplaceTempView("events")
    frames = ", ".join(
        f"w{d} as (partition by {key} order by event_timestamp range between "
        f"interval '{d} 00:00:00' day to second preceding and "
        f"interval '0 00:00:00.000001' day to second preceding)" for d in (1, 7, 30)
    )
    columns = ", ".join(
        f"count(*) over w{d} as count_{d}, sum({value}) over w{d} as sum_{d}, "
        f"avg({value}) over w{d} as mean_{d}" for d in (1, 7, 30)
    )
    rows = spark.sql(f"select {key}, event_timestamp, {columns} from events window {frames}")
    rows.write.mode("overwrite").parquet(f"{out}/{table}.spark.parquet")
    with open(times, "a") as file:
        file.write(f"{time.monotonic() - started}\\n")
"""


def measure() -> Measurement:
    """Seconds inside each process on two cores, from the started session to the last file.

    Spark gives one row an event, ours one a step. The peak is that of one task's Python.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, env = Path(folder), ingested(folder) | {"LOCKSTEP_SPARK_MASTER": "local[2]"}
        ours, peer, peaks = [], [], []
        for run in range(RUNS):
            mine, theirs = home / f"ours{run}", home / f"peer{run}"
            timed_run(python("-c", _OURS, str(home / "lake"), str(mine)), **env)
            timed_run(python("-c", _PEER, str(home / "lake"), folder, str(theirs)), **env)
            ours.append(total(mine))
            peer.append(total(theirs))
            peaks.append(float(mine.with_suffix(".peak").read_text()))
    return Measurement(
        name="build_spark",
        ours=median(ours),
        peer=median(peer),
        unit="s",
        rows=1_754_155,
        goals=(Goal("ratio_to_peer", ">=", 0.667),),
        extra={"task_peak_mb": median(peaks)},
    )
