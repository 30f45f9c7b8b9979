"""`lockstep drift`: is what is served still like what the model was trained on?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lockstep.parity.drift.result import DriftResult

_DRIFTED, _UNJUDGED = 1, 3


def drift(
    use_case: Annotated[str, typer.Argument(help="Whose model, such as 'fraud'.")],
    since: Annotated[
        str | None, typer.Option(help="First day of the log, UTC.", show_default="all")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last day of the log, UTC.", show_default="all")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Which version.", show_default="the champion")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="A report to read.", show_default="none")
    ] = None,
) -> None:
    """Lays the features and scores that were served of USE_CASE beside those of the training.

    The receipt goes to the lake. Exits with 1 where a limit is reached that a view or the
    service declares; with 3 where none is, and there were too few rows to judge by.
    """
    from rich.console import Console

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries

    first = utc_instant(since, "--since").date() if since else None
    last = utc_instant(until, "--until").date() if until else None
    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from lockstep.contract.clock import SystemClock
        from lockstep.lake.lake import Lake
        from lockstep.parity.drift.look import look_for_drift
        from lockstep.parity.drift.page import drift_page, drift_verdict
        from lockstep.parity.drift.registered import registered_version
        from lockstep.parity.drift.result import write_drift
        from lockstep.settings import Settings

        settings = Settings()
        lake = Lake.at(settings.lake)
        progress("reading the model's reference", 0.1)
        served = registered_version(settings.tracking_uri, use_case, version)
        progress("reading what was served", 0.4)
        store = open_feature_store(settings)
        result = look_for_drift(store, lake, use_case, served, (first, last), SystemClock())
        key = write_drift(lake, result)
    Console().print(_table(result))
    if html is not None:
        html.write_text(drift_page(result), encoding="utf-8")
        typer.echo(f"{html} shows it")
    typer.echo(f"the receipt is {lake.address(key)}")
    typer.secho(drift_verdict(result), bold=True)
    if result.has_drifted:
        raise typer.Exit(_DRIFTED)
    if result.unjudged:
        raise typer.Exit(_UNJUDGED)


def _table(result: DriftResult) -> Table:
    """A row for the score and each feature, in the model's order."""
    from rich.table import Table

    from lockstep.parity.drift.page import COLUMNS, drift_row

    title = f"version {result.version}, {result.rows:,} rows of {result.service}"
    table = Table(*COLUMNS, title=title, title_justify="left")
    for one in result.drifts:
        table.add_row(*drift_row(one), style="bold" if one.exceeded else None)
    return table
