"""Row `build_pandas`: both window tables of the real transactions against pandas rolling."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.build_local import OURS, ingested, total
from benchmarks.row import Goal, Measurement
from benchmarks.timing import python, timed_run

RUNS = 3
_PEER = """
import sys, time
import pandas as pd
lake, out, times = sys.argv[1:]
views = [("customer_id", "amount_cents", "transactions"), ("terminal_id", "fraud", "verdicts")]
for key, value, table in views:
    started = time.monotonic()
    events = pd.read_parquet(f"{lake}/fraud/{table}", columns=[key, "event_timestamp", value])
    events = events.sort_values([key, "event_timestamp"]).set_index("event_timestamp")
    columns = {}
    for days in (1, 7, 30):
        rolled = events.groupby(key)[value].rolling(f"{days}D", closed="neither")
        columns[f"count_{days}d"] = rolled.count().to_numpy()
        columns[f"sum_{days}d"] = rolled.sum().to_numpy()
        columns[f"mean_{days}d"] = rolled.mean().to_numpy()
    built = pd.DataFrame(columns, index=events.index).assign(**{key: events[key].to_numpy()})
    built.to_parquet(f"{out}/{table}.pandas.parquet")
    with open(times, "a") as file:
        file.write(f"{time.monotonic() - started}\\n")
"""


def measure() -> Measurement:
    """Seconds inside each process, imports left out on both sides; both peaks of memory.

    pandas gives one row an event, ours one a step; its floats lose what integers keep.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, env = Path(folder), ingested(folder)
        ours, peer, peaks, peer_peaks = [], [], [], []
        for run in range(RUNS):
            mine, theirs = home / f"ours{run}", home / f"peer{run}"
            _, peak = timed_run(python("-c", OURS, str(home / "lake"), str(mine)), **env)
            _, other = timed_run(
                python("-c", _PEER, str(home / "lake"), folder, str(theirs)), **env
            )
            ours.append(total(mine))
            peer.append(total(theirs))
            peaks.append(peak)
            peer_peaks.append(other)
    return Measurement(
        name="build_pandas",
        ours=median(ours),
        peer=median(peer),
        unit="s",
        rows=1_754_155,
        goals=(Goal("ratio_to_peer", ">=", 0.333),),
        extra={"peak_mb": median(peaks), "peer_peak_mb": median(peer_peaks)},
    )
