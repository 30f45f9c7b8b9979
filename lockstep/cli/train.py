"""`lockstep train`: labelled rows from the lake to a registered model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from training.promotion import Check
    from training.run import TrainingResult
    from training.use_case import UseCase

Options = TypeVar("Options", bound=Any)
# What every fold says of itself; the rest tells of its labels.
_DAYS = {"from", "to", "rows", "labels_known_by"}
UseCaseName = Annotated[str, typer.Argument(help="Whose model, such as 'fraud'.")]
AsOf = Annotated[
    str | None,
    typer.Option(help="UTC instant up to which labels are known.", show_default="all there are"),
]
TestDays = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=3_650,
        help="Last labelled days, kept for the test.",
        show_default="the use case's",
    ),
]
TrainDays = Annotated[
    int | None,
    typer.Option(
        min=1, max=3_650, help="Last days to fit on, validation included.", show_default="all"
    ),
]
Service = Annotated[
    str | None,
    typer.Option(
        "--feature-service", help="Another feature service.", show_default="the use case's"
    ),
]
EmbargoDays = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=365,
        help="Days between the last label of a fold and the fold after it.",
        show_default="the use case's",
    ),
]
Iterations = Annotated[
    int | None,
    typer.Option(
        min=1, help="Most trees; validation may stop earlier.", show_default="the use case's"
    ),
]
Select = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Fit again with the features of which shuffling loses more of the worth.",
        show_default="all features",
    ),
]
AsServed = Annotated[
    str | None,
    typer.Option(
        help="Features as the online store held them at T: by the 'ledger', by a schedule such as "
        "'1h' or '1d+30m' (every day, visible half an hour later), or 'ledger,1h'.",
        show_default="all that was known at T",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the fit.")]


def train(
    use_case: UseCaseName,
    feature_service: Service = None,
    as_of: AsOf = None,
    train_days: TrainDays = None,
    test_days: TestDays = None,
    embargo_days: EmbargoDays = None,
    seed: Seed = 0,
    iterations: Iterations = None,
    search: Annotated[
        int, typer.Option(min=0, max=10_000, help="Trials that look for parameters first.")
    ] = 0,
    search_log: Annotated[
        Path | None,
        typer.Option(help="Where trials are kept, to go on with.", show_default="in the home"),
    ] = None,
    parallel: Annotated[
        Literal["spark"] | None,
        typer.Option(help="'spark' for trials on Spark's executors.", show_default="one by one"),
    ] = None,
    select: Select = None,
    device: Annotated[Literal["CPU", "GPU"], typer.Option(help="Where it is fitted.")] = "CPU",
    once: Annotated[
        bool,
        typer.Option("--once", help="Not where a version was made of the same rows and options."),
    ] = False,
    as_served: AsServed = None,
) -> None:
    """Fits a model on what was known, judges it on later days and registers it as challenger.

    The first model of a use case is its champion at once.
    """
    from rich.console import Console

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.metrics_table import metrics_table
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.cli.visibility import visibility_of

    if parallel and not search:
        raise typer.BadParameter("it is for trials: give --search too", param_hint="--parallel")
    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from lockstep.settings import Settings
        from training.errors import AlreadyTrainedError
        from training.fit import FitParameters
        from training.run import TrainingOptions
        from training.run import train as run
        from training.search import Search
        from training.use_case import load_use_case

        settings = Settings()
        chosen = load_use_case(use_case, feature_service=feature_service)
        options = TrainingOptions(
            as_of=utc_instant(as_of, "--as-of") if as_of else None,
            split=changed(
                chosen.split,
                test_days=test_days,
                train_days=train_days,
                embargo_days=embargo_days,
            ),
            parameters=changed(
                chosen.parameters or FitParameters(),
                iterations=iterations,
                seed=seed,
                device=device,
            ),
            search=Search(search, seed) if search else None,
            search_log=search_log,
            spark_trials=(os.cpu_count() or 1) if parallel == "spark" else 0,
            select_above=select,
            once=once,
            as_served=visibility_of(as_served, use_case, settings) if as_served else None,
        )
        try:
            result = run(settings, open_feature_store(settings), chosen, options, progress)
        except AlreadyTrainedError as error:
            typer.echo(f"nothing to do: {error.problem}")
            return
    console = Console()
    console.print(_summary(result))
    title = f"on the test rows, with intervals by {chosen.block}"
    console.print(metrics_table(title, test=result.metrics))
    if tell_missed_floors(chosen, result.floors):
        typer.echo(f"It is not served. `lockstep promote {use_case} --force` would do it anyway.")
    elif result.registered.is_champion:
        typer.echo("A running `lockstep serve` takes it when it is started again.")
    else:
        typer.echo(f"`lockstep promote {use_case}` compares it with the champion.")
    for warning in result.warnings:
        typer.echo(f"warning: {warning}")


def tell_missed_floors(use_case: UseCase, floors: Sequence[Check]) -> bool:
    """Whether a floor is missed; prints which, and what that means."""
    missed = [check for check in floors if not check.holds]
    for check in missed:
        typer.echo(f"{check.name} is not shown: found {check.found}.")
    if missed:
        typer.secho(f"The verdict: {use_case.verdict}.", bold=True)
    return bool(missed)


def _summary(result: TrainingResult) -> Table:
    from rich.table import Table

    from training.digits import in_digits

    registered = result.registered
    rank = "champion" if registered.is_champion else "challenger"
    title = f"model {registered.name} version {registered.version}, now {rank}"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column()
    for fold, what in result.folds.items():
        days = f"{what['from'][:10]} to {what['to'][:10]}"
        labels = [
            f"{in_digits(value)} {name.replace('_', ' ')}"
            for name, value in what.items()
            if name not in _DAYS
        ]
        table.add_row(fold, f"{days}\n{what['rows']:,} rows, {', '.join(labels)}")
    table.add_section()
    table.add_row("trees", str(result.trees))
    for name, fact in result.facts.items():
        table.add_row(name, fact)
    return table


def changed(options: Options, **given: object) -> Options:
    """The options of a use case, with what was given in their place."""
    return replace(options, **{name: value for name, value in given.items() if value is not None})
