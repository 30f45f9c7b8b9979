"""`lockstep evaluate`: what a registered model is worth on labelled days that it never saw."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lockstep.cli.train import AsOf, AsServed, TestDays, UseCaseName


def evaluate(
    use_case: UseCaseName,
    version: Annotated[
        int | None, typer.Option(min=1, help="Which version.", show_default="the champion")
    ] = None,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="The challenger instead of the champion.")
    ] = False,
    as_of: AsOf = None,
    test_days: TestDays = None,
    as_served: AsServed = None,
) -> None:
    """Metrics with intervals by day, and slices, on the last labelled days."""
    from rich.console import Console
    from rich.table import Table

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.metrics_table import metrics_table
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.cli.visibility import visibility_of

    if challenger and version is not None:
        raise typer.BadParameter("it names another version", param_hint="--challenger")
    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from lockstep.contract.model_artefact import CHALLENGER, CHAMPION
        from lockstep.contract.registered_model import load_model
        from lockstep.settings import Settings
        from training.digits import in_digits
        from training.promote import later_rows, scored_as
        from training.use_case import load_use_case

        settings, chosen = Settings(), load_use_case(use_case)
        alias = CHALLENGER if challenger else CHAMPION
        model = load_model(settings.tracking_uri, chosen.name, version=version, alias=alias)
        until = utc_instant(as_of, "--as-of") if as_of else None
        days = test_days or chosen.split.test_days
        rows = later_rows(settings, chosen, [model], test_days=days, as_of=until)
        progress(f"joining features onto {rows.height:,} rows", 0.3)
        visibility = visibility_of(as_served, use_case, settings) if as_served else None
        store = open_feature_store(settings)
        scored = scored_as(store, chosen, model, rows, as_served=visibility)
        progress("evaluating", 0.7)
        metrics = scored.intervals()
    console = Console()
    title = f"model {model.name} version {model.version} on {rows.height:,} rows"
    console.print(metrics_table(title, test=metrics))
    if parts := scored.slices():
        names = list(asdict(parts[0]))
        table = Table(*(name.replace("_", " ") for name in names))
        for part in parts:
            cells = (getattr(part, name) for name in names)
            table.add_row(*(cell if isinstance(cell, str) else in_digits(cell) for cell in cells))
        console.print(table)
