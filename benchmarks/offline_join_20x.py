"""Row `offline_join_20x`: all transactions of twenty towns through `persist()`, in batches."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.build_20x import built_20x
from benchmarks.offline_repo import joined
from benchmarks.row import Goal, Measurement

# Entities are the path of parquet, the dataset is one file; both are in the order of time.
_PERSIST = """
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
keys = ["customer_id", "terminal_id", "event_timestamp"]
asked = told.parent / "asked.parquet"
pl.scan_parquet(f"{lake}/fraud/transactions/*/part.parquet").select(keys).sink_parquet(asked)
store, refs = project()
started = time.monotonic()
job = store.get_historical_features(entity_df=str(asked), features=refs)
dataset = told.parent / "dataset.parquet"
job.persist(SavedDatasetFileStorage(path=str(dataset)))
told.write_text(str(time.monotonic() - started))
assert pl.scan_parquet(dataset).select(pl.len()).collect().item() == rows
"""


def measure() -> Measurement:
    """Seconds of one run, and the peak memory of its process."""
    full = built_20x()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "lake").symlink_to(full.lake.uri)
        seconds, peak = joined(_PERSIST, Path(folder), "lockstep", full.rows, {})
    return Measurement(
        name="offline_join_20x",
        ours=seconds,
        unit="s",
        rows=full.rows,
        goals=(Goal("peak_mb", "<=", 6000),),
        extra={"peak_mb": peak, "rows_a_second": full.rows / seconds},
    )
