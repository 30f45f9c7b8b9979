"""`lockstep materialize`: `feast materialize` of one use case's views."""

from __future__ import annotations

from typing import Annotated

import typer


def materialize(
    use_case: Annotated[str, typer.Argument(help="Whose views, such as 'fraud'.")],
    start: Annotated[str, typer.Option(help="UTC instant, as for `feast materialize`.")],
    end: Annotated[str, typer.Option(help="UTC instant up to which rows are written.")],
) -> None:
    """Writes the newest rows of USE_CASE's views to the online store, and shows what was written.

    The same as `feast materialize START END` with `--views` for each view of the use case: one
    whose tables are behind does not hold up another.
    """
    from rich.console import Console

    from feature_repo.discovery import feature_views
    from feature_repo.store import open_feature_store
    from lockstep.cli.instants import utc_instant
    from lockstep.cli.ledger import ledger_table
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from lockstep.stores.ledger import newest_row

    since, until = utc_instant(start, "--start"), utc_instant(end, "--end")
    names = [view.name for view in feature_views(use_case)]
    quiet_libraries()
    settings = Settings()
    store = open_feature_store(settings)
    store.materialize(start_date=since, end_date=until, feature_views=names)
    lake = Lake.at(settings.lake)
    rows = ((name, newest_row(lake, store.project, name)) for name in names)
    Console().print(ledger_table({name: row for name, row in rows if row is not None}))
