"""`lockstep generate`: raw data for a use case, decided by a seed."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from types import ModuleType


def generate(
    use_case: Annotated[str, typer.Argument(help="Whose data, such as 'fraud'.")],
    customers: Annotated[int | None, typer.Option(show_default="fraud: 1000")] = None,
    terminals: Annotated[int | None, typer.Option(show_default="fraud: 2000")] = None,
    cities: Annotated[
        int | None,
        typer.Option(help="So many times as many customers and terminals.", show_default="1"),
    ] = None,
    days: Annotated[int | None, typer.Option(show_default="fraud: 120")] = None,
    seed: Annotated[int | None, typer.Option(show_default="fraud: 7")] = None,
    start: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day.", show_default="fraud: 2018-04-01"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default="raw/<use case>.parquet in the project's home"),
    ] = None,
) -> None:
    """Writes generated raw data of USE_CASE to a parquet file: the same seed, the same rows."""
    from lockstep.cli.progress import progress_shown
    from lockstep.jobs.generate.errors import GenerateError
    from lockstep.jobs.generate.write import write_frames
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case

    module = load_use_case("lockstep.jobs.generate", use_case, entry="generate_frames")
    given = {
        "customers": customers,
        "terminals": terminals,
        "cities": cities,
        "days": days,
        "seed": seed,
        "start": start.date() if start else None,
    }
    options = _options(module, use_case, {k: v for k, v in given.items() if v is not None})
    target = out or Settings().home_dir / "raw" / f"{use_case}.parquet"
    if target.is_dir():
        raise GenerateError.not_a_file(target)
    with progress_shown() as progress:
        progress(f"generating {use_case}", 0.0)
        rows = write_frames(target, module.generate_frames(options))
    typer.echo(f"{rows:,} rows, {options.days:,} days from {options.start}: {target}")


def _options(module: ModuleType, use_case: str, given: dict[str, Any]) -> Any:
    """The use case's own options, with its defaults for what was not given."""
    from lockstep.jobs.generate.errors import GenerateError

    known = {field.name for field in fields(module.Options)}
    if unknown := given.keys() - known:
        raise GenerateError.unknown_options(use_case, unknown, known)
    return module.Options(**given)
