"""Row `demo`: the whole demo after set-up."""

from __future__ import annotations

import tempfile
from pathlib import Path
from shutil import copytree, ignore_patterns

from benchmarks.row import Goal, Measurement
from benchmarks.timing import ROOT, python, timed_run


def measure() -> Measurement:
    """Wall seconds of `lockstep demo` in a project of its own."""
    with tempfile.TemporaryDirectory() as folder:
        repo = Path(folder) / "feature_repo"
        copytree(ROOT / "feature_repo", repo, ignore=ignore_patterns("__pycache__"))
        seconds, peak = timed_run(python("-m", "lockstep.cli", "demo"), LOCKSTEP_PROJECT_DIR=folder)
    return Measurement(
        name="demo",
        ours=seconds,
        unit="s",
        rows=1,
        goals=(Goal("ours", "<=", 90),),
        extra={"peak_mb": peak},
    )
