"""Runs the benchmarks and renders their table: `python -m benchmarks.run [NAME ...]`."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.row import Measurement
from benchmarks.table import render

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
NAMES = (
    "cli_start",
    "build_local",
    "build_pandas",
    "build_spark",
    "build_20x",
    "build_increment",
    "offline_join",
    "offline_join_20x",
    "on_demand",
    "online_read_1",
    "online_read_100",
    "online_read_1000",
    "materialize_steps",
    "materialize_1m",
    "dataset_30d",
    "search_50",
    "score_day",
    "predict_throughput",
    "predict_p99_1000rps",
    "predict_batch_1000",
    "feature_log_overhead",
    "ready",
    "audit_1m",
    "ledger_overhead",
    "demo",
)


def main(names: Sequence[str]) -> int:
    """Measures `names` (default: all), keeps the other rows, and says whether goals are met."""
    if unknown := set(names) - set(NAMES):
        sys.stderr.write(f"no benchmark {sorted(unknown)}; there are {list(NAMES)}\n")
        return 2
    rows = {row["name"]: row for row in _saved()}
    measured = []
    for name in names or NAMES:
        sys.stderr.write(f"measuring {name} ...\n")
        measurement: Measurement = import_module(f"benchmarks.{name}").measure()
        rows[name] = measurement.as_row(
            machine=_machine(),
            date=datetime.now(UTC).date().isoformat(),
            command=f"make bench ONLY={name}",
        )
        measured.append(rows[name])
    ordered = [rows[name] for name in NAMES if name in rows]
    RESULTS.write_text(json.dumps(ordered, indent=2) + "\n")
    for readme in (HERE / "README.md", HERE.parent / "README.md"):
        render(readme, ordered)
    sys.stdout.write(json.dumps(measured, indent=2) + "\n")
    return 0 if all(row["met"] for row in measured) else 1


def _saved() -> list[dict[str, Any]]:
    return list(json.loads(RESULTS.read_text())) if RESULTS.is_file() else []


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
