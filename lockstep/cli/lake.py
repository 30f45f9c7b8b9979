"""`lockstep lake`: the place where tables live, whether a folder or S3."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="The lake: a local folder, or a prefix of an S3 bucket.", no_args_is_help=True
)


@app.command()
def check() -> None:
    """Try what builds and ingests need of the lake; names the first thing that is missing."""
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings

    found = Lake.at(Settings().lake)
    typer.echo(found.uri)
    for fine in found.checks():
        typer.echo(f"  {fine}")
