"""`lockstep audit`: what was served, recomputed, and why it differs where it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lockstep.parity.audit_result import AuditResult

_REFUSED, _UNCHECKED = 1, 3


def audit(
    use_case: Annotated[str, typer.Argument(help="Whose log, such as 'fraud'.")],
    since: Annotated[
        str | None, typer.Option(help="First day of the log, UTC.", show_default="all")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last day of the log, UTC.", show_default="all")
    ] = None,
    max_stale: Annotated[
        float | None,
        typer.Option(
            help="Share of vectors that may be stale.",
            min=0.0,
            max=1.0,
            show_default="the services' tag max_stale_share",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="A report to read.", show_default="none")
    ] = None,
) -> None:
    """Lays every vector that the API served of USE_CASE beside the offline join at its T.

    The receipt goes to the lake. Exits with 1 where vectors differ without a cause, have a
    fault, or are stale beyond the budget; with 3 where not all could be checked.
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
        from feast import FeatureService

        from feature_repo.discovery import feast_objects
        from feature_repo.store import open_feature_store
        from lockstep.contract.clock import SystemClock
        from lockstep.lake.lake import Lake
        from lockstep.parity.audit import Audit
        from lockstep.parity.audit_result import write_audit
        from lockstep.parity.audit_words import verdict
        from lockstep.parity.stale_budget import max_stale_share
        from lockstep.settings import Settings
        from lockstep.use_cases import load_use_case

        settings = Settings()
        lake = Lake.at(settings.lake)
        windows = load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS")
        defined = feast_objects(use_case).values()
        declared = max_stale_share(o for o in defined if isinstance(o, FeatureService))
        budget = declared if max_stale is None else max_stale
        auditing = Audit(
            open_feature_store(settings), lake, use_case, windows.WINDOW_SPECS, SystemClock()
        )
        result = auditing.of_log(first, last, progress)
        key = write_audit(lake, result)
    Console().print(cause_table(result))
    for problem in result.problems:
        typer.echo(f"  {problem}")
    for why, count in result.unchecked.items():
        typer.echo(f"  {count:,} vectors not checked: {why}")
    if html is not None:
        from lockstep.parity.audit_report import audit_page

        html.write_text(audit_page(result, budget), encoding="utf-8")
        typer.echo(f"{html} shows it")
    typer.echo(f"the receipt is {lake.address(key)}")
    typer.secho(verdict(result, budget), bold=True)
    if result.refusal(budget):
        raise typer.Exit(_REFUSED)
    if not result.is_whole:
        raise typer.Exit(_UNCHECKED)


def cause_table(result: AuditResult) -> Table:
    """A row for each view and cause, with its vectors."""
    from rich.table import Table

    title = f"{result.vectors:,} vectors of {result.source}"
    table = Table("service", "view", "cause", title=title, title_justify="left")
    table.add_column("vectors", justify="right")
    for service in result.services:
        for cause, count in service.causes.items():
            table.add_row(service.service, "all", cause, f"{count:,}", style="bold")
        for view, causes in service.views.items():
            for cause, count in causes.items():
                table.add_row("", view, cause, f"{count:,}")
        for hint, count in service.hints.items():
            table.add_row("", "unexplained", hint, f"{count:,}")
    return table
