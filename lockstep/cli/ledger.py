"""`lockstep ledger`: what materialisations are on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lockstep.stores.ledger import LedgerRow

app = typer.Typer(help="The ledger: what each materialisation made visible.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The ledger: what each materialisation made visible."""


@app.command()
def check(
    use_case: Annotated[str, typer.Argument(help="Whose views, such as 'fraud'.")],
    at: Annotated[str, typer.Option(help="UTC instant up to which materialisations count.")],
) -> None:
    """Reads every materialisation of USE_CASE that is on record and shows the last of each view.

    Exits with 2 where a record cannot be read or is cut off, or a view that was built has none.
    """
    from rich.console import Console

    from feature_repo.discovery import feature_views
    from feature_repo.store import repo_config
    from lockstep.cli.instants import utc_instant
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from lockstep.stores.errors import LedgerError
    from lockstep.stores.ledger import rows_of, unfinished

    until = utc_instant(at, "--at")
    quiet_libraries()
    settings = Settings()
    project, lake = repo_config(settings).project, Lake.at(settings.lake)
    found: dict[str, list[LedgerRow]] = {}
    for view in feature_views(use_case):
        if lake.table(view.batch_source.path).horizon() is None:
            continue  # never built, so never materialised
        rows = [r for r in rows_of(lake, project, view.name) if r.horizon <= until]
        if not rows:
            raise LedgerError.none_until(view.name, until)
        found[view.name] = rows
    Console().print(ledger_table({name: rows[-1] for name, rows in found.items()}))
    typer.echo(f"{sum(map(len, found.values())):,} materialisations are on record")
    for view in found:
        for run in unfinished(lake, project, view):
            if run.covered_end < until and run.started > found[view][-1].started:
                typer.echo(
                    f"{view}: the one begun at {run.started:%Y-%m-%d %H:%M:%S} has not ended"
                )


def ledger_table(rows: Mapping[str, LedgerRow]) -> Table:
    """One materialisation of each view, as people read it."""
    from rich.table import Table

    table = Table("view", "finished", "exact before", "keys", "written", "older than stored")
    for view, row in rows.items():
        instants = (f"{instant:%Y-%m-%d %H:%M:%S}" for instant in (row.finished, row.horizon))
        counts = (f"{count:,}" for count in (row.read, row.written, row.older))
        table.add_row(view, *instants, *counts)
    return table
