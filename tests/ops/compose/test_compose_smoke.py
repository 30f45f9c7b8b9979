"""What compose/smoke makes of the health that Docker tells, with Docker's answers written down."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from composed import FOLDER

WELL = ("redis|running|healthy|0", "exporter|running|healthy|0", "apply|exited||0")


def smoke(folder: Path, *states: str) -> subprocess.CompletedProcess[str]:
    """The script where `docker compose ps` answers so; no service has a published port."""
    docker = folder / "docker"
    lines = "\\n".join(states)
    docker.write_text(f"#!/bin/sh\ncase \"$*\" in *--all*) printf '{lines}\\n' ;; esac\n")
    docker.chmod(0o755)
    environment = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    return subprocess.run(
        [FOLDER / "smoke"], env=environment, capture_output=True, text=True, check=False
    )


def test_what_is_well_or_done_is_not_held_against_it(tmp_path: Path) -> None:
    done = smoke(tmp_path, *WELL)
    # It goes on, up to what no service here has: an address to look at.
    assert done.stderr == "smoke: FAILED: nothing runs; make up first\n"


@pytest.mark.parametrize(
    "state", ["kafka|running|unhealthy|0", "api|running|starting|0", "apply|exited||2"]
)
def test_what_is_not_well_is_named(tmp_path: Path, state: str) -> None:
    done = smoke(tmp_path, *WELL, state)
    assert done.returncode == 1
    assert done.stderr == f"smoke: FAILED: not healthy: {state}\n"
