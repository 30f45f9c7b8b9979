"""The secrets of compose/, made anew by its own script."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from programs import program

_SCRIPT = Path(__file__).parents[1] / "compose" / "make-secrets"


def make_secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs compose/make-secrets into another folder."""
    environment = {**os.environ, "SECRETS_DIR": str(folder), "LOCKSTEP": str(program("lockstep"))}
    return subprocess.run([_SCRIPT], env=environment, capture_output=True, text=True, check=False)
