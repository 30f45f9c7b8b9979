"""Row `offline_join`: all real transactions joined to both window views through Feast's API."""

from __future__ import annotations

from statistics import median

from benchmarks.offline_repo import REAL_ROWS, built_lake, joined
from benchmarks.row import Goal, Measurement

RUNS = 3
# The largest share of the transactions that Feast's DuckDB store joins in this memory.
SAMPLE = 1_000_000
_FEAST = """
store, refs = project()
frame = entities() if kind == "lockstep" else entities().to_pandas()
started = time.monotonic()
table = store.get_historical_features(entity_df=frame, features=refs).to_arrow()
told.write_text(str(time.monotonic() - started))
assert table.num_rows == rows, table.num_rows
"""
# What the limit does: the same files, sorted by time, joined by key; no late rows, no checks.
_BARE = """
frame = entities()
started = time.monotonic()
out = frame.with_row_index("row").sort("event_timestamp")
for spec in (CUSTOMER_WINDOWS, TERMINAL_WINDOWS):
    (key,) = spec.entity_keys
    columns = [key, "event_timestamp", *list(spec.features())[:6]]
    steps = pl.scan_parquet(f"{lake}/{spec.table}/*/part.parquet").select(columns)
    steps = steps.sort("event_timestamp").collect()
    out = out.join_asof(steps, on="event_timestamp", by=key, check_sortedness=False)
table = out.sort("row").drop("row").to_arrow()
told.write_text(str(time.monotonic() - started))
"""


def measure() -> Measurement:
    """Ours on all rows against the bare merge, and on a sample against Feast's DuckDB store."""
    with built_lake() as (folder, env):
        ours, limit, peaks, on_sample = [], [], [], []
        for _ in range(RUNS):
            seconds, peak = joined(_FEAST, folder, "lockstep", REAL_ROWS, env)
            ours.append(seconds)
            peaks.append(peak)
            limit.append(joined(_BARE, folder, "bare", REAL_ROWS, env)[0])
            on_sample.append(joined(_FEAST, folder, "lockstep", SAMPLE, env)[0])
        duckdb, duckdb_peak = joined(_FEAST, folder, "duckdb", SAMPLE, env)
    return Measurement(
        name="offline_join",
        ours=median(ours),
        limit=median(limit),
        unit="s",
        rows=REAL_ROWS,
        goals=(
            Goal("ratio_to_limit", ">=", 0.667),
            Goal("peak_mb", "<=", 3000),
            Goal("duckdb_over_ours", ">=", 100),
        ),
        extra={
            "peak_mb": median(peaks),
            "sample_rows": SAMPLE,
            "ours_on_sample": median(on_sample),
            "duckdb_on_sample": duckdb,
            "duckdb_over_ours": duckdb / median(on_sample),
            "duckdb_peak_mb": duckdb_peak,
        },
    )
