"""Row `score_day`: one real day scored offline into the lake."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
from statistics import median

from benchmarks.offline_repo import built_lake
from benchmarks.row import Goal, Measurement
from benchmarks.timing import ROOT, python, timed_run

RUNS = 3
_APPLY = """
from feature_repo import discovery
from feature_repo.store import open_feature_store
from lockstep.settings import Settings
store = open_feature_store(Settings())
store.apply(list(discovery.feast_objects("fraud").values()))
"""
_TRAIN = ("train", "fraud", "--as-of", "2018-07-25", "--train-days", "14")
# What the command imports on its way is imported before the clock starts.
_SCORE = """
import sys, time
from datetime import date
from pathlib import Path
import alembic.command, boto3, catboost, feast.repo_operations, multiprocessing.pool
import lockstep.stores.fingerprint, lockstep.stores.offline, lockstep.stores.online
from feature_repo.store import open_feature_store
from lockstep.contract.model_registry import import_mlflow
from lockstep.settings import Settings
from training.score import score_day
import_mlflow()
import mlflow.store.model_registry.sqlalchemy_store, mlflow.store.tracking.sqlalchemy_store
started = time.monotonic()
settings = Settings()
scored = score_day(
    settings,
    open_feature_store(settings),
    "fraud",
    date(2018, 7, 28),
    progress=lambda what, share: None,
)
Path(sys.argv[1]).write_text(f"{time.monotonic() - started} {scored.rows}")
"""


def measure() -> Measurement:
    """Seconds from the settings to the written partition, each in a process of its own."""
    with built_lake() as (folder, home):
        env = home | {"LOCKSTEP_PROJECT_DIR": str(folder)}
        ignored = ignore_patterns("__pycache__")
        copytree(ROOT / "feature_repo", folder / "feature_repo", ignore=ignored)
        timed_run(python("-c", _APPLY), **env)
        timed_run(python("-m", "lockstep.cli", *_TRAIN), **env)
        runs = [_scored(folder, env) for _ in range(RUNS)]
    seconds, peaks, rows = zip(*runs, strict=True)
    return Measurement(
        name="score_day",
        ours=median(seconds),
        unit="s",
        rows=rows[0],
        goals=(Goal("ours", "<=", 2.0),),
        extra={"peak_mb": median(peaks)},
    )


def _scored(folder: Path, env: dict[str, str]) -> tuple[float, float, int]:
    """Seconds inside the process, its peak memory in 10^6 bytes, and the rows scored."""
    told = folder / "score_day"
    _, peak = timed_run(python("-c", _SCORE, str(told)), **env)
    seconds, rows = told.read_text().split()
    sys.stderr.write(f"  {rows} rows: {seconds} s, {peak:,.0f} MB\n")
    return float(seconds), peak, int(rows)
