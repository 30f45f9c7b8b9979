"""A build on Spark as a program of its own, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BUILD = """
import sys
from datetime import timedelta
from source_histories import NOW, STEPS, T0
from lockstep.contract.clock import FixedClock
from lockstep.jobs.spark.build import build_with_spark
from lockstep.lake.lake import Lake

build_with_spark(
    Lake.at(sys.argv[1]), [STEPS], end=T0 + timedelta(hours=72),
    clock=FixedClock(NOW), progress=lambda what, share: None,
)
"""


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, which may import what tests do."""
    path = os.pathsep.join(sys.path)
    return subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": path, "LOCKSTEP_SPARK_MASTER": "local[2]"} | environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
