"""Commands timed in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent


def timed_run(command: Sequence[str], **env: str) -> tuple[float, float]:
    """Wall seconds of one run and its own peak resident memory in 10^6 bytes.

    Raises:
        CalledProcessError: the command failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return seconds, usage.ru_maxrss * 1024 / 1e6


def alternating(runs: int, *sides: Callable[[], float]) -> list[float]:
    """The median of each side over `runs` rounds; the sides take turns."""
    results = [[side() for side in sides] for _ in range(runs)]
    return [median(times) for times in zip(*results, strict=True)]


def python(*arguments: str) -> list[str]:
    """A command line of this interpreter."""
    return [sys.executable, *arguments]
