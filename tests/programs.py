"""Where the tools that `make setup` installs are: on nobody's PATH, unless they put them there."""

from __future__ import annotations

import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def program(name: str) -> Path:
    """A tool of this environment."""
    return BIN / name
