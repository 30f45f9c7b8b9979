"""Row `cli_start`: how long `lockstep --help` takes from a cold process."""

from __future__ import annotations

from pathlib import Path
from sys import executable

from benchmarks.row import Goal, Measurement
from benchmarks.timing import alternating, python, timed_run

RUNS = 9


def measure() -> Measurement:
    """Seconds to the help text, beside an interpreter that only imports Typer."""
    command = str(Path(executable).with_name("lockstep"))
    ours, limit = alternating(
        RUNS,
        lambda: timed_run([command, "--help"])[0],
        lambda: timed_run(python("-c", "import typer, rich.console"))[0],
    )
    return Measurement(
        name="cli_start",
        ours=ours,
        limit=limit,
        unit="s",
        rows=RUNS,
        goals=(Goal("ours", "<=", 0.5),),
    )
