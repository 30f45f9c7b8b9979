"""`lockstep validate`: whether built tables may be materialised."""

from __future__ import annotations

from typing import Annotated

import typer


def validate(
    use_case: Annotated[str, typer.Argument(help="Whose tables, such as 'fraud'.")],
    end: Annotated[str, typer.Option(help="UTC instant that every table must reach.")],
) -> None:
    """Checks that the window tables of USE_CASE reach an instant and hold together.

    Looked at are the record and the days of each table, and the rows of the last build. Exits
    with 2 and names the table, the day and the rule that does not hold.
    """
    from lockstep.cli.instants import utc_instant
    from lockstep.jobs.validate import validate as run
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case

    definitions = load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS")
    until = utc_instant(end, "--end")
    for table in run(Lake.at(Settings().lake), definitions.WINDOW_SPECS, end=until):
        typer.echo(
            f"{table.name}: exact before {table.horizon:%Y-%m-%d %H:%M}, "
            f"{table.rows:,} rows of {table.days} days hold together"
        )
