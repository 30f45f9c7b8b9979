"""Places for the demo's things: it clears away what it made itself, and nothing else."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

from lockstep.cli.errors import DemoError
from lockstep.lake.lake import Lake

_MARK = "made-by-the-demo"


def prepare(home: Path, lake: Lake) -> None:
    """Empties both and marks them as the demo's.

    Raises:
        DemoError: one of them holds what the demo did not make; nothing is removed.
        LakeError: the lake cannot be used.
    """
    kept = list(home.iterdir()) if home.is_dir() else []
    # By default the lake is in the home and goes with it.
    objects = [] if Path(lake.uri).is_relative_to(home) else lake.list("")
    if kept and home / _MARK not in kept:
        raise DemoError.not_its_own(str(home))
    if objects and _MARK not in objects:
        raise DemoError.not_its_own(lake.uri)
    lake.preflight()
    if kept:
        rmtree(home)
    lake.delete(objects)
    home.mkdir(parents=True, exist_ok=True)
    (home / _MARK).touch()
    lake.write_bytes(_MARK, b"")
