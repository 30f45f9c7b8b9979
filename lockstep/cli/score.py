"""`lockstep score`: a day's events scored offline into the lake."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lockstep.cli.train import UseCaseName

if TYPE_CHECKING:
    from rich.table import Table

    from training.score import ScoredDay


def score(
    use_case: UseCaseName,
    date: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="UTC day whose events are scored.")
    ],
    model_version: Annotated[
        int | None, typer.Option(min=1, help="Which version.", show_default="the champion")
    ] = None,
) -> None:
    """Scores a day's events as the API would have, with the status of every value.

    The day's partition of the table `<use case>/scored` is replaced whole.
    """
    from rich.console import Console

    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries

    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from lockstep.settings import Settings
        from training.score import score_day

        settings = Settings()
        scored = score_day(
            settings,
            open_feature_store(settings),
            use_case,
            date.date(),
            version=model_version,
            progress=progress,
        )
    Console().print(_summary(scored))
    typer.echo(f"in {scored.address}")


def _summary(scored: ScoredDay) -> Table:
    from rich.table import Table

    table = Table(title=f"{scored.model}, {scored.day}", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("model version", str(scored.version))
    table.add_row("rows", f"{scored.rows:,}")
    for decision, rows in scored.decisions.items():
        table.add_row(f"  {decision}", f"{rows:,}")
    if scored.statuses:
        table.add_section()
    for status, values in scored.statuses.items():
        table.add_row(f"values {status}", f"{values:,}")
    return table
