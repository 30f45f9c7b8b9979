"""Commands as a user types them, run in this process: importing Feast takes seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import join

import typer


@contextmanager
def shown(what: str) -> Iterator[None]:
    """Announces a step and says how long it took."""
    typer.secho(f"\n{what}", bold=True)
    started = time.monotonic()
    yield
    typer.secho(f"  {time.monotonic() - started:.1f} s", dim=True)


def lockstep(*arguments: str) -> None:
    """Runs `lockstep ARGUMENTS`.

    Raises:
        LockstepError: what the command raises.
    """
    from lockstep.cli.main import app

    _announce("lockstep", arguments)
    typer.main.get_command(app)(list(arguments), standalone_mode=False)


def feast(repo: Path, *arguments: str) -> None:
    """Runs `feast ARGUMENTS` from inside the feature repository.

    Raises:
        LockstepError: what our stores raise.
        ClickException: what Feast refuses.
    """
    from feast.cli.cli import cli

    _announce("feast", arguments)
    before = Path.cwd()
    path = list(sys.path)
    try:
        os.chdir(repo)
        cli(list(arguments), standalone_mode=False)
    finally:
        os.chdir(before)
        sys.path[:] = path


def _announce(program: str, arguments: tuple[str, ...]) -> None:
    typer.secho(f"  $ {program} {join(arguments)}", fg="cyan")
