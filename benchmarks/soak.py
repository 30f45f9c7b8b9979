"""The soak of the tests, for long: `python -m benchmarks.soak [SECONDS]`, five minutes without.

It is no row: memory, files, threads and the log's queue either stay where they were under steady
load, or it ends with another status than 0. The longer it takes, the smaller a leak it finds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.timing import ROOT

SECONDS = 300.0


def main(arguments: Sequence[str]) -> int:
    """The status of the test that asks for so many seconds."""
    seconds = float(arguments[0]) if arguments else SECONDS
    command = [sys.executable, "-m", "pytest", "tests/integration/test_serve_soak.py"]
    environment = os.environ | {"LOCKSTEP_SOAK_SECONDS": str(seconds)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
