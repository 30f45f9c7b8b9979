"""Each use case goes its whole way: raw data, features, a model, answers over HTTP, the proof."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from feast_project import make_project

from feature_repo.discovery import feast_objects
from lockstep.use_cases import use_case_names

SMALL = {
    "clicks": "--clicks-a-day 500 --addresses 400",
    "fraud": "--customers 120 --terminals 240 --days 60",
    "market": "--assets 2 --days 250 --edge 0.5",
    "property": "--listings 5000 --days 250 --localities 5",
}
REQUESTS = 60


def test_every_use_case_has_a_demo() -> None:
    assert set(SMALL) == set(use_case_names("feature_repo.definitions")) - {
        "fraud_daily",
        "fraud_profile",
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("use_case", SMALL)
def test_a_use_case_goes_its_whole_way(use_case: str, tmp_path: Path) -> None:
    command = ["demo", "--use-case", use_case, "--requests", str(REQUESTS)]
    done = subprocess.run(
        [sys.executable, "-m", "lockstep.cli", *command, *SMALL[use_case].split()],
        env={**os.environ, "LOCKSTEP_PROJECT_DIR": str(make_project(tmp_path).project_dir)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{REQUESTS} predictions" in done.stdout
    (found,) = re.findall(r"features compared: ([\d,]+), mismatches: 0", done.stdout)
    served = feast_objects(use_case)[f"{use_case}_v1"]
    features = sum(len(view.features) for view in served.feature_view_projections)
    assert int(found.replace(",", "")) == REQUESTS * features
    assert f"{REQUESTS} vectors compared: " in done.stdout
    assert "unexplained" not in done.stdout
