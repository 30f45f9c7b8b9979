"""`lockstep generate`: raw data for a use case, decided by a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def generate(
    context: typer.Context,
    use_case: Annotated[str, typer.Argument(help="Whose data, such as 'fraud'.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default="raw/<use case>.parquet in the project's home"),
    ] = None,
) -> None:
    """Writes generated raw data of USE_CASE to a file: the same options, the same rows.

    Further options are the use case's own, such as --customers, --days and --seed; an unknown
    one is answered with those that there are.
    """
    from lockstep.cli.own_options import called_with
    from lockstep.cli.progress import progress_shown
    from lockstep.jobs.generate.errors import GenerateError
    from lockstep.jobs.generate.write import write_frames
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case

    module = load_use_case("lockstep.jobs.generate", use_case, entry="generate_frames")
    options = called_with(module.Options, context.args)
    target = out or Settings().home_dir / "raw" / f"{use_case}.parquet"
    if target.is_dir():
        raise GenerateError.not_a_file(target)
    with progress_shown() as progress:
        progress(f"generating {use_case}", 0.0)
        rows = write_frames(target, module.generate_frames(options))
    typer.echo(f"{rows:,} rows: {target}")
