"""`lockstep train`: labelled rows from the lake to a registered model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from training.run import TrainingResult


def train(
    use_case: Annotated[str, typer.Argument(help="Whose model, such as 'fraud'.")],
    as_of: Annotated[
        str | None,
        typer.Option(
            help="UTC instant up to which labels are known.", show_default="all there are"
        ),
    ] = None,
    train_days: Annotated[
        int | None,
        typer.Option(
            min=1, max=3_650, help="Last days to fit on, validation included.", show_default="all"
        ),
    ] = None,
    test_days: Annotated[
        int, typer.Option(min=1, max=3_650, help="Last labelled days, kept for the test.")
    ] = 7,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the fit.")] = 0,
    iterations: Annotated[
        int, typer.Option(min=1, help="Most trees; validation may stop earlier.")
    ] = 300,
) -> None:
    """Fits a model on what was known, judges it on later days and makes it the champion."""
    import logging

    from rich.console import Console

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.progress import progress_shown

    # What libraries tell their callers' developers; Feast and MLflow turn it on.
    logging.captureWarnings(True)
    # MLflow's own deprecation warnings have no reader here.
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from lockstep.settings import Settings
        from training.fit import FitParameters
        from training.run import TrainingOptions
        from training.run import train as run
        from training.use_case import load_use_case

        settings = Settings()
        chosen = load_use_case(use_case)
        options = TrainingOptions(
            as_of=utc_instant(as_of, "--as-of") if as_of else None,
            test_days=test_days,
            train_days=train_days,
            parameters=FitParameters(iterations=iterations, seed=seed),
        )
        result = run(settings, open_feature_store(settings), chosen, options, progress)
    Console().print(_summary(result))
    typer.echo("A running `lockstep serve` takes it when it is started again.")
    for warning in result.warnings:
        typer.echo(f"warning: {warning}")


def _summary(result: TrainingResult) -> Table:
    from rich.table import Table

    name, version = result.registered.name, result.registered.version
    title = f"model {name} version {version}, now champion"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column()
    for fold, what in result.folds.items():
        days = f"{what['from'][:10]} to {what['to'][:10]}"
        table.add_row(fold, f"{days}\n{what['rows']:,} rows, {what['positives']:,} positive")
    table.add_section()
    table.add_row("trees", str(result.trees))
    table.add_row("threshold", f"{result.threshold:.4f}")
    for metric, value in result.metrics.items():
        table.add_row(f"test {metric}", f"{value:.4f}")
    return table
