"""`lockstep log`: the feature log in the lake."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

app = typer.Typer(help="The feature log: what was served.", no_args_is_help=True)

UseCaseName = Annotated[str, typer.Argument(help="Whose log, such as 'fraud'.")]
Before = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], help="UTC day before which days are taken.")
]


@app.command()
def compact(use_case: UseCaseName, before: Before) -> None:
    """Makes one object of each finished day: servers write one every few seconds."""
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from serving.log_files import compact as run

    done = 0
    for day in run(Lake.at(Settings().lake), use_case, before=_finished(before)):
        done += day.rows > 0
        if day.rows:
            typer.echo(f"{day.folder}: {day.objects:,} objects are one, {day.rows:,} rows")
    typer.echo(f"{done:,} days compacted")


@app.command()
def expire(use_case: UseCaseName, before: Before) -> None:
    """Deletes what was served on days before that one; it cannot be audited afterwards."""
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from serving.log_files import expire as run

    gone = run(Lake.at(Settings().lake), use_case, before=_finished(before))
    for folder in gone:
        typer.echo(f"deleted {folder}")
    typer.echo(f"{len(gone):,} days deleted")


def _finished(before: datetime) -> date:
    """The day, which is today or earlier: today's log is still written to."""
    from lockstep.cli.errors import UsageError
    from lockstep.contract.clock import SystemClock

    today = SystemClock().now().date()
    if before.date() > today:
        raise UsageError.unfinished_day("--before", before.date(), today)
    return before.date()
