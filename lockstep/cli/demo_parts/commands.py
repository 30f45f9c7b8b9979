"""Commands as a user types them, run in this process: importing Feast takes seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
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


def lockstep(*arguments: str) -> int:
    """Runs `lockstep ARGUMENTS` and returns its exit code.

    Raises:
        LockstepError: what the command raises.
    """
    from lockstep.cli.main import app

    _announce("lockstep", arguments)
    code = typer.main.get_command(app)(list(arguments), standalone_mode=False)
    return code if isinstance(code, int) else 0


def feast(repo: Path, *arguments: str) -> str:
    """Runs `feast ARGUMENTS` from inside the feature repository and returns what it printed.

    Raises:
        LockstepError: what our stores raise.
        ClickException: what Feast refuses.
    """
    from rich.console import Console

    _announce("feast", arguments)
    with Console(stderr=True).status(f"feast {arguments[0]}"), _inside(repo):
        import logging

        from feast.cli.cli import cli

        # MLflow lets everybody's notes through, once it has been imported; and that views of
        # other use cases have no rows is no news here.
        logging.getLogger("lockstep").setLevel(logging.ERROR)
        printed = StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            cli(["--log-level", "WARNING", *arguments], standalone_mode=False)
    return printed.getvalue()


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Works in `folder`; Feast adds it to the import path, which is undone too."""
    path = list(sys.path)
    try:
        with chdir(folder):
            yield
    finally:
        sys.path[:] = path


def _announce(program: str, arguments: tuple[str, ...]) -> None:
    typer.secho(f"  $ {program} {join(arguments)}", fg="cyan")


def indented(text: str) -> str:
    """The lines of `text` that say something, moved in; warnings of libraries left out."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines if "arning" not in line)
