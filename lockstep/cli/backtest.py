"""`lockstep backtest`: a model fitted on one week after another, judged on the weeks after."""

from __future__ import annotations

from typing import Annotated

import typer

from lockstep.cli.train import AsOf, Service, UseCaseName

_MOST_SEEDS = 100


def backtest(
    use_case: UseCaseName,
    start: Annotated[
        list[str], typer.Option(help="First training day of a fold; may be given several times.")
    ],
    feature_service: Service = None,
    as_of: AsOf = None,
    seeds: Annotated[int, typer.Option(min=1, max=_MOST_SEEDS, help="Fits a fold.")] = 1,
    iterations: Annotated[int, typer.Option(min=1, help="Most trees.")] = 300,
    search: Annotated[
        int, typer.Option(min=0, max=10_000, help="Trials on the folds before each.")
    ] = 0,
    validation_folds: Annotated[
        int, typer.Option(min=1, max=52, help="Weekly folds from 14 days before on that choose.")
    ] = 4,
) -> None:
    """The handbook's protocol: 7 days train, 7 delay, 7 test, known compromised cards removed."""
    from rich.console import Console
    from rich.table import Table

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries

    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from lockstep.settings import Settings
        from training.backtest import FoldResult, backtest_of
        from training.fit import FitParameters
        from training.search import Search
        from training.use_case import load_use_case

        settings = Settings()
        starts = [utc_instant(text, "--start") for text in start]
        backtest = backtest_of(
            settings,
            open_feature_store(settings),
            load_use_case(use_case, feature_service=feature_service),
            starts,
            utc_instant(as_of, "--as-of") if as_of else None,
            validation_folds=validation_folds,
        )
        of, done = len(starts) * seeds, list[FoldResult]()

        def on_fold(result: FoldResult) -> None:
            done.append(result)
            progress(f"fold of {result.start:%Y-%m-%d}, seed {result.seed}", len(done) / of)

        results = backtest.run(
            starts,
            range(seeds),
            backtest.searched(FitParameters(iterations=iterations), Search(search)),
            on_fold,
        )
    names = [name for name in _SHOWN if name in results[0].metrics]
    labels = [name.replace("_", " ") for name in results[0].labels]
    shown = (_SHOWN[name] for name in names)
    table = Table("start", "seed", "rows", *labels, "trees", *shown)
    for result in results:
        values = (f"{result.metrics[name].value:.4f}" for name in names)
        counts = (f"{n:,}" for n in (result.rows, *result.labels.values(), result.trees))
        table.add_row(f"{result.start:%Y-%m-%d}", str(result.seed), *counts, *values)
    table.add_section()
    means = (sum(r.metrics[name].value for r in results) / len(results) for name in names)
    blank = [""] * (3 + len(labels))
    table.add_row("mean", *blank, *(f"{mean:.4f}" for mean in means))
    Console().print(table)


_SHOWN = {
    "roc_auc": "AUC",
    "average_precision": "AP",
    "card_precision_at_100": "CP@100",
    "brier": "Brier",
}
