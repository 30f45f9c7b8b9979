"""Under CI=true nothing is skipped in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SKIPS = {
    "in a test": "import pytest\ndef test_it():\n    pytest.skip('no')\n",
    "skipif": "import pytest\n@pytest.mark.skipif(True, reason='no')\ndef test_it(): ...\n",
    "importorskip": "import pytest\npytest.importorskip('no_such')\ndef test_it(): ...\n",
}


def run(folder: Path, source: str, *, ci: str) -> subprocess.CompletedProcess[str]:
    """What pytest says of a module with our conftest beside it."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(CONFTEST.parent)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS)
def test_a_skip_fails_under_ci(tmp_path: Path, source: str) -> None:
    done = run(tmp_path, source, ci="true")
    assert done.returncode in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert "skipped under CI without review" in done.stdout


def test_a_module_may_be_skipped_elsewhere(tmp_path: Path) -> None:
    done = run(tmp_path, SKIPS["importorskip"], ci="false")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "1 skipped" in done.stdout
