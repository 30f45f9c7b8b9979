"""`lockstep train`: labelled rows from the lake to a registered model."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from training.run import TrainingResult


def train(
    use_case: str = typer.Argument(help="What to train, such as fraud."),
    as_of: str | None = typer.Option(
        None, help="Instant (UTC) up to which labels are known; default: all that are there."
    ),
    train_days: int | None = typer.Option(
        None, help="Days with known labels to fit on, validation included; default: all."
    ),
    test_days: int = typer.Option(7, help="Last labelled days, kept for the test."),
    seed: int = typer.Option(0, help="Seed of the fit."),
    iterations: int = typer.Option(300, help="Most trees; validation may stop earlier."),
) -> None:
    """Train a model on what was known, judge it on later days and register it."""
    from rich.console import Console

    console = Console()
    with console.status("starting") as status:
        from feature_repo.store import open_feature_store
        from lockstep.settings import Settings
        from training.fit import FitParameters
        from training.run import TrainingOptions
        from training.run import train as run
        from training.use_case import load_use_case

        settings = Settings()
        chosen = load_use_case(use_case)
        options = TrainingOptions(
            as_of=_instant(as_of) if as_of else None,
            test_days=test_days,
            train_days=train_days,
            parameters=FitParameters(iterations=iterations, seed=seed),
        )
        result = run(settings, open_feature_store(settings), chosen, options, status.update)
    console.print(_summary(result))
    for warning in result.warnings:
        console.print(f"[yellow]warning[/yellow] {warning}", highlight=False)


def _instant(text: str) -> datetime:
    """The instant that `text` names; a day alone is its midnight."""
    from lockstep.contract.instant import parse_instant

    is_day = len(text) == len("2018-08-01")
    return parse_instant(f"{text}T00:00:00Z" if is_day else text)


def _summary(result: TrainingResult) -> Table:
    from rich.table import Table

    name, version = result.registered.name, result.registered.version
    table = Table(title=f"model {name} version {version}, now champion", title_justify="left")
    table.add_column("")
    table.add_column("")
    for fold, what in result.folds.items():
        days = f"{what['from'][:10]} to {what['to'][:10]}"
        table.add_row(fold, f"{what['rows']:,} rows, {what['positives']:,} positive, {days}")
    table.add_row("trees", str(result.trees))
    table.add_row("threshold", f"{result.threshold:.4f}")
    for metric, value in result.metrics.items():
        table.add_row(f"test {metric}", f"{value:.4f}")
    return table
