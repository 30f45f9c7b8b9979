"""`lockstep walk-forward`: one model after another on what was known, each judged on what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lockstep.cli.train import (
    AsOf,
    EmbargoDays,
    Iterations,
    Seed,
    Select,
    Service,
    TestDays,
    UseCaseName,
)

if TYPE_CHECKING:
    from rich.table import Table

    from training.walk_forward import WalkedFold

_MOST_FOLDS = 100


def walk_forward(
    use_case: UseCaseName,
    folds: Annotated[
        int, typer.Option(min=1, max=_MOST_FOLDS, help="Tests, one after the other.")
    ] = 6,
    feature_service: Service = None,
    as_of: AsOf = None,
    test_days: TestDays = None,
    embargo_days: EmbargoDays = None,
    seed: Seed = 0,
    iterations: Iterations = None,
    search: Annotated[
        int, typer.Option(min=0, max=10_000, help="Trials on the validation rows of each fold.")
    ] = 0,
    select: Select = None,
    control: Annotated[
        bool, typer.Option(help="Fit on shuffled labels too, which must show nothing.")
    ] = True,
) -> None:
    """Judges the way of training, not one model: nothing is registered."""
    from rich.console import Console

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.metrics_table import metrics_table
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.cli.train import changed, tell_missed_floors

    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from dataclasses import replace

        from feature_repo.store import open_feature_store
        from lockstep.settings import Settings
        from training.fit import FitParameters
        from training.promotion import floor_checks
        from training.search import Search
        from training.use_case import load_use_case
        from training.walk_forward import WalkedFold, WalkForward, WalkOptions

        settings, chosen = Settings(), load_use_case(use_case, feature_service=feature_service)
        options = WalkOptions(
            folds,
            changed(chosen.split, test_days=test_days, embargo_days=embargo_days),
            changed(chosen.parameters or FitParameters(), iterations=iterations, seed=seed),
            Search(search, seed) if search else None,
            select,
        )
        progress("joining features", 0.02)
        until = utc_instant(as_of, "--as-of") if as_of else None
        walk = WalkForward.of(settings, open_feature_store(settings), chosen, until)
        runs = {"model": options}
        if control:
            runs["shuffled_labels"] = replace(options, shuffled=True)
        done, metrics, walked = 0, {}, list[WalkedFold]()

        def on_fold(fold: WalkedFold) -> None:
            nonlocal done
            done += 1
            progress(f"fold {done} of {folds * len(runs)}", 0.05 + 0.9 * done / folds / len(runs))

        for name, run in runs.items():
            scored, found = walk.run(run, on_fold)
            metrics[name] = scored.intervals(seed=seed)
            walked = walked or found
    console = Console()
    console.print(_folds(walked))
    title = f"on all {folds} tests, with intervals by {chosen.block}"
    console.print(metrics_table(title, **metrics))
    tell_missed_floors(chosen, floor_checks(metrics["model"], chosen.floors))


def _folds(folds: list[WalkedFold]) -> Table:
    """What each fold was fitted on, and how its model did."""
    import numpy as np
    from rich.table import Table

    from training.digits import in_digits

    task = folds[0].scored.use_case.task
    table = Table("test", "fitted on", "rows", "features", "trees", task.gain.replace("_", " "))
    for fold in folds:
        described = fold.split.describe(task)
        tested, fitted = described["test"], described["train"]
        metrics = fold.scored.metrics(np.ones(fold.scored.days.count))
        table.add_row(
            f"{tested['from'][:10]} to {tested['to'][:10]}",
            in_digits(fitted["rows"]),
            in_digits(tested["rows"]),
            str(len(fold.predictor.artefact.feature_order)),
            str(fold.predictor.model.tree_count_),
            in_digits(metrics[task.gain]),
        )
    return table
