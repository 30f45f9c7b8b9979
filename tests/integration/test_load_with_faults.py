"""The load script, with short phases: nothing but right answers and honest refusals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fraud_project import Project, materialize
from serving_client import END

from lockstep.stores.embedded_redis import embedded_redis

ROOT = Path(__file__).parents[2]


def test_a_server_survives_what_its_redis_does(project: Project) -> None:
    settings = project.settings
    with embedded_redis() as url:
        materialize(settings, url, END)
        command = [sys.executable, "-m", "benchmarks.load_with_faults", "--seconds", "1.2"]
        command += ["--project", str(settings.project_dir), "--at", END.isoformat()]
        environment = os.environ | {"REDIS_URL": url}
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    phases = _phases(ended.stdout)
    # Every fault was felt, and none when there was none.
    assert phases["healthy"].statuses == phases["healthy again"].statuses == {200}
    assert 200 in phases["slow"].statuses
    assert phases["breaking now and then"].breaks > 0
    assert 200 in phases["breaking now and then"].statuses
    assert 503 in phases["breaking every time"].statuses
    # The requests that silence caught on their way count in the phase before.
    assert 503 in phases["silent"].statuses | phases["slow"].statuses


@dataclass(frozen=True)
class Phase:
    """A row of the table."""

    breaks: int
    statuses: set[int]


def _phases(table: str) -> dict[str, Phase]:
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert {cells[-1] for cells in rows} == {"right"}
    return {
        cells[0]: Phase(int(cells[1]), {int(s) for s in re.findall(r"\d+ x (\d+)", cells[2])})
        for cells in rows
    }
