"""Row `dataset_30d`: 30 days of real transactions with their labels and features."""

from __future__ import annotations

from statistics import median

from benchmarks.offline_repo import REAL_ROWS, built_lake, joined
from benchmarks.on_demand import PROJECT
from benchmarks.row import Goal, Measurement

RUNS = 5
# From the tables to rows that can be fitted on, receipt and all; imports are left out.
_DATASET = """
from datetime import UTC, datetime
from training.dataset import join_features
from training.run import labelled_rows
from training.use_case import load_use_case
settings, use_case = Settings(project_dir=folder), load_use_case("fraud")
started = time.monotonic()
_, labelled = labelled_rows(settings, use_case, None, datetime(2018, 9, 1, tzinfo=UTC))
dataset = join_features(
    store, labelled, feature_service=use_case.feature_service, row_id=use_case.row_id
)
told.write_text(str(time.monotonic() - started))
(told.parent / "rows").write_text(str(dataset.rows.height))
"""


def measure() -> Measurement:
    """Seconds of the last 30 days, September."""
    with built_lake() as (folder, env):
        runs = [joined(PROJECT + _DATASET, folder, "dataset", REAL_ROWS, env) for _ in range(RUNS)]
        rows = int((folder / "rows").read_text())
    return Measurement(
        name="dataset_30d",
        ours=median(seconds for seconds, _ in runs),
        unit="s",
        rows=rows,
        goals=(Goal("ours", "<=", 3),),
        extra={"peak_mb": median(peak for _, peak in runs)},
    )
