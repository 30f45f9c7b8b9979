"""`lockstep apply`: `feast apply`, unless it would change what a live model reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def apply(
    force: Annotated[
        bool,
        typer.Option("--force", help="Apply although servers will refuse the models then."),
    ] = False,
) -> None:
    """Runs `feast apply` if the champion and the challenger can still be served afterwards.

    A view that a live model reads is not edited in place: its values would be other ones than
    the model was trained on. Give the edited view another name, such as `<view>_v2`.
    """
    from lockstep.cli.quiet import quiet_libraries

    quiet_libraries()
    from feature_repo.store import check_variables
    from lockstep.settings import Settings
    from serving.live_models import LiveModelError, broken_models

    settings = Settings()
    check_variables(settings)
    if broken := broken_models(settings):
        error = LiveModelError.edited(broken)
        if not force:
            raise error
        typer.echo(f"lockstep: applied by force: {error.problem}", err=True)
    feast = Path(sys.executable).with_name("feast")
    ended = subprocess.run([str(feast), "apply"], cwd=settings.feature_repo_dir, check=False)
    if ended.returncode:
        raise typer.Exit(ended.returncode)
