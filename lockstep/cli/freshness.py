"""`lockstep freshness`: how far the online store is behind."""

from __future__ import annotations

from typing import Annotated

import typer


def freshness(
    use_case: Annotated[str, typer.Argument(help="Whose views, such as 'fraud'.")],
    at: Annotated[
        str | None, typer.Option(help="UTC instant to be fresh at.", show_default="now")
    ] = None,
) -> None:
    """Shows up to when each view of USE_CASE is exact in the online store, and how old that is.

    Exits with 2 where a view that was built is further behind than it declares.
    """
    from rich.console import Console
    from rich.table import Table

    from feature_repo.discovery import feature_views
    from feature_repo.store import repo_config
    from lockstep.cli.instants import utc_instant
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.contract.clock import SystemClock
    from lockstep.lake.lake import Lake
    from lockstep.monitoring.freshness import assert_fresh, view_freshness
    from lockstep.settings import Settings

    instant = utc_instant(at, "--at") if at else SystemClock().now()
    quiet_libraries()
    settings = Settings()
    lake = Lake.at(settings.lake)
    found = view_freshness(repo_config(settings), lake, feature_views(use_case))
    table = Table("view", "exact before", "behind", "allowed")
    for view in found:
        horizon = f"{view.horizon:%Y-%m-%d %H:%M:%S}" if view.horizon else "never materialised"
        behind = view.behind(instant)
        table.add_row(view.name, horizon, str(behind or ""), str(view.max_age or "any"))
    Console().print(table)
    assert_fresh(found, instant)
