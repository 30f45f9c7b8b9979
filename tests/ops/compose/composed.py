"""What compose makes of compose/compose.yaml, and where its files are."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from programs import program

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "compose"
REQUIRED = {"LOCKSTEP_VERSION": "0.1.0"}
PROFILES = ("", "ui", "airflow", "stream", "monitoring", "jobs", "all")


def compose(
    *arguments: str,
    file: Path = FOLDER / "compose.yaml",
    variables: Mapping[str, str] = REQUIRED,
    profile: str = "all",
) -> subprocess.CompletedProcess[str]:
    """`docker compose` on a file, with no other variables than these; it needs no engine."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COMPOSE_PROFILES": profile}
    return subprocess.run(
        [program("docker-compose"), "--file", file, *arguments],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def config(profile: str = "all", file: Path = FOLDER / "compose.yaml") -> dict[str, Any]:
    """All services of a profile, with everything filled in."""
    done = compose("config", "--format", "json", file=file, profile=profile)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
