"""`lockstep audit`: what was served, recomputed, and why it differs where it does."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockstep.cli.errors import UsageError
from lockstep.errors import LockstepError

if TYPE_CHECKING:
    from rich.table import Table

    from lockstep.parity.audit import Audit
    from lockstep.parity.audit_result import AuditResult

_REFUSED, _UNCHECKED = 1, 3
# A watch looks at so many of the newest vectors every so often, and tells of the last minutes.
_WATCHED, _EVERY_SECONDS, _WINDOW = 1_000, 10.0, timedelta(minutes=15)


def audit(
    use_case: Annotated[str, typer.Argument(help="Whose log, such as 'fraud'.")],
    since: Annotated[
        str | None, typer.Option(help="First day of the log, UTC.", show_default="all")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last day of the log, UTC.", show_default="all")
    ] = None,
    online: Annotated[
        int | None,
        typer.Option(help="So many entities of each view in Redis instead.", min=1),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with what is logged, until stopped.")
    ] = False,
    max_stale: Annotated[
        float | None,
        typer.Option(
            help="Share of vectors that may be stale.",
            min=0.0,
            max=1.0,
            show_default="the services' tag max_stale_share",
        ),
    ] = None,
    sql_rows: Annotated[
        int, typer.Option(help="Vectors that are looked up in SQL too; 0 for none.", min=0)
    ] = 1_000,
    html: Annotated[
        Path | None, typer.Option(help="A report to read.", show_default="none")
    ] = None,
) -> None:
    """Lays every vector that the API served of USE_CASE beside the offline join at its T.

    The receipt goes to the lake. Exits with 1 where vectors differ without a cause, have a
    fault, or are stale beyond the budget; with 3 where not all could be checked.

    With --online it asks Redis for entities that nobody need have asked for. With --watch it
    looks at a sample of what was logged every few seconds; the exporter shows what it found.
    """
    from lockstep.cli.instants import utc_instant
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries

    first = utc_instant(since, "--since").date() if since else None
    last = utc_instant(until, "--until").date() if until else None
    given = {"--online": online, "--watch": watch, "--since or --until": first or last}
    if len(chosen := [name for name, value in given.items() if value]) > 1:
        raise UsageError.not_together(chosen)
    quiet_libraries()
    if watch:
        _watch(use_case, sql_rows, max_stale)
        return
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.discovery import feature_services
        from lockstep.lake.lake import Lake
        from lockstep.parity.audit_result import write_audit
        from lockstep.parity.stale_budget import max_stale_share
        from lockstep.settings import Settings

        settings = Settings()
        lake = Lake.at(settings.lake)
        services = feature_services(use_case)
        budget = max_stale_share(services) if max_stale is None else max_stale
        auditing = _opened(use_case, sql_rows)
        if online is None:
            result = auditing.of_log(first, last, progress)
        else:
            named = [service.name for service in services]
            result = auditing.of_online(settings.redis_url, named, online)
        key = write_audit(lake, result)
    _show(result, budget, html, lake.address(key))
    if result.refusal(budget):
        raise typer.Exit(_REFUSED)
    if not result.is_whole:
        raise typer.Exit(_UNCHECKED)


def _opened(use_case: str, sql_rows: int) -> Audit:
    """The audit of a use case, as its definitions and its ledger are now."""
    from feature_repo.store import open_feature_store
    from lockstep.contract.clock import SystemClock
    from lockstep.lake.lake import Lake
    from lockstep.parity.audit import Audit
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case

    settings = Settings()
    windows = load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS")
    return Audit(
        open_feature_store(settings),
        Lake.at(settings.lake),
        use_case,
        windows.WINDOW_SPECS,
        SystemClock(),
        sql_rows,
    )


def _watch(use_case: str, sql_rows: int, max_stale: float | None) -> None:
    """Looks until it is told to end, and says what it saw where that has changed."""
    import signal
    import threading

    from feature_repo.discovery import feature_services
    from lockstep.parity.audit_words import look_words
    from lockstep.parity.stale_budget import max_stale_share
    from lockstep.parity.watch import ParityWatch

    budget = max_stale_share(feature_services(use_case)) if max_stale is None else max_stale
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    watch, before = ParityWatch(partial(_opened, use_case, sql_rows), _WATCHED, _WINDOW), ""
    while not ended.is_set():
        try:
            told = look_words(watch.look(), budget)
        except LockstepError as error:
            told = f"cannot look: {error}"
        if told != before:
            typer.echo(before := told)
        ended.wait(_EVERY_SECONDS)


def _show(result: AuditResult, budget: float | None, html: Path | None, receipt: str) -> None:
    from rich.console import Console

    from lockstep.parity.audit_words import sql_words, verdict

    Console().print(cause_table(result))
    for problem in result.problems:
        typer.echo(f"  {problem}")
    for why, count in result.unchecked.items():
        typer.echo(f"  {count:,} vectors not checked: {why}")
    typer.echo(sql_words(result.sql))
    if html is not None:
        from lockstep.parity.audit_report import audit_page

        html.write_text(audit_page(result, budget), encoding="utf-8")
        typer.echo(f"{html} shows it")
    typer.echo(f"the receipt is {receipt}")
    typer.secho(verdict(result, budget), bold=True)


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
