"""Row `search_50`: fifty trials on the handbook's week, as a backtest searches."""

from __future__ import annotations

import os

from benchmarks.offline_repo import REAL_ROWS, built_lake, joined
from benchmarks.on_demand import PROJECT
from benchmarks.row import Goal, Measurement

TRIALS = 50
# Fitted on 2018-07-11 to 17 and judged by 07-25 to 31; at most 300 trees, pruning on.
_SEARCH = f"""
from datetime import UTC, datetime
from training.backtest import backtest_of
from training.fit import FitParameters
from training.search import Search
from training.trial_log import TrialLog
from training.use_case import load_use_case
from training.validation import TrialFit
settings, use_case = Settings(project_dir=folder), load_use_case("fraud")
start = datetime(2018, 7, 25, tzinfo=UTC)
backtest = backtest_of(settings, store, use_case, [start], None, validation_folds=1)
(fold,) = backtest.earlier(start)
fitting = TrialFit(backtest.validation([fold]), FitParameters())
log = TrialLog.in_memory()
started = time.monotonic()
best = Search({TRIALS}).run(use_case.task, fitting.evaluate, log, lambda *_: None)
told.write_text(str(time.monotonic() - started))
pruned = sum(trial.is_pruned for trial in log.trials)
trees = sum(trial.trees for trial in log.trials)
(told.parent / "told").write_text(f"{{fold.fit.height}} {{pruned}} {{trees}} {{best.score}}")
"""


def measure() -> Measurement:
    """Seconds of one search on all cores."""
    with built_lake() as (folder, env):
        seconds, peak = joined(PROJECT + _SEARCH, folder, "search", REAL_ROWS, env)
        rows, pruned, trees, best = map(float, (folder / "told").read_text().split())
    return Measurement(
        name="search_50",
        ours=seconds,
        unit="s",
        rows=int(rows),
        goals=(Goal("ours", "<=", 600),),
        extra={
            "trials": TRIALS,
            "pruned": pruned,
            "trees": trees,
            "best_average_precision": best,
            "cores": float(os.cpu_count() or 0),
            "peak_mb": peak,
        },
    )
