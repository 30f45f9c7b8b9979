"""The page on a use case of one's own, followed to the letter in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "use_case.md").read_text()
STEPS = re.findall(r"^## (\d)\. [^\n]*`([^`\n]+)`\n.*?```python\n(.*?)```", PAGE, re.M | re.S)
PACKAGES = ("feature_repo", "lockstep", "serving", "training")
IGNORED = shutil.ignore_patterns("__pycache__", "*.c")


def test_there_are_at_most_eight_steps_one_new_file_each() -> None:
    assert [int(number) for number, _, _ in STEPS] == list(range(1, len(STEPS) + 1))
    assert len(STEPS) <= 8
    assert re.findall(r"^## \d", PAGE, re.M) == [f"## {number}" for number, _, _ in STEPS]
    for _, name, _ in STEPS:
        assert not (ROOT / name).exists()
        assert (ROOT / name).with_name("fraud.py").is_file()


@pytest.mark.timeout(300)
def test_what_the_page_says_is_a_use_case_from_data_to_prediction(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=IGNORED)
    for _, name, code in STEPS:
        (tmp_path / name).write_text(code)
    (command,) = re.findall(r"^\$ lockstep (demo .*)$", PAGE, re.M)
    small = ["--orders", "3000", "--customers", "60", "--requests", "60"]
    environment = {
        **os.environ,
        "LOCKSTEP_PROJECT_DIR": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "lockstep.cli", *command.split(), *small],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"60 predictions, .*(check|send)", done.stdout)
    # Four windows of orders, two of outcomes (with 60 days alone), and the price against them.
    assert "features compared: 420, mismatches: 0" in done.stdout
