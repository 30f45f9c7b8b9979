"""`lockstep evaluate`: what a registered model is worth on labelled days that it never saw."""

from __future__ import annotations

from typing import Annotated

import typer

from lockstep.cli.train import AsOf, TestDays, UseCaseName


def evaluate(
    use_case: UseCaseName,
    version: Annotated[
        int | None, typer.Option(min=1, help="Which version.", show_default="the champion")
    ] = None,
    as_of: AsOf = None,
    test_days: TestDays = 7,
) -> None:
    """Metrics with intervals by day, and slices, on the last labelled days."""
    from rich.console import Console
    from rich.table import Table

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.metrics_table import metrics_table
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries

    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from lockstep.contract.registered_model import load_model
        from lockstep.settings import Settings
        from training.promote import later_rows, scored_as
        from training.use_case import load_use_case

        settings, chosen = Settings(), load_use_case(use_case)
        model = load_model(settings.tracking_uri, chosen.name, version=version)
        until = utc_instant(as_of, "--as-of") if as_of else None
        rows = later_rows(settings, chosen, [model], test_days=test_days, as_of=until)
        progress(f"joining features onto {rows.height:,} rows", 0.3)
        scored = scored_as(open_feature_store(settings), chosen, model, rows)
        progress("evaluating", 0.7)
        metrics = scored.intervals()
    console = Console()
    title = f"model {model.name} version {model.version} on {rows.height:,} rows"
    console.print(metrics_table(title, test=metrics))
    table = Table("slice", "rows", "positives", "recall", "wrong blocks")
    for part in scored.slices():
        counts = f"{part.rows:,}", f"{part.positives:,}"
        table.add_row(part.name, *counts, f"{part.recall:.3f}", f"{part.wrong_blocks:.4f}")
    console.print(table)
