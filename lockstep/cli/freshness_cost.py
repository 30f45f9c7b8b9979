"""`lockstep freshness-cost`: what features that are materialised less often cost the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockstep.cli.train import (
    AsOf,
    EmbargoDays,
    Iterations,
    Seed,
    Service,
    TestDays,
    TrainDays,
    UseCaseName,
    changed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from training.freshness_cost import ScheduleResult


def freshness_cost(
    use_case: UseCaseName,
    schedule: Annotated[
        list[str],
        typer.Option(
            help="Such as '1h', '1d+30m' (visible half an hour later) or 'ledger'; several times."
        ),
    ] = ["1h", "1d"],  # noqa: B006  Typer copies it
    feature_service: Service = None,
    as_of: AsOf = None,
    train_days: TrainDays = None,
    test_days: TestDays = None,
    embargo_days: EmbargoDays = None,
    iterations: Iterations = None,
    seed: Seed = 0,
    plot: Annotated[Path | None, typer.Option(help="A PNG of it.", show_default="none")] = None,
) -> None:
    """Compares models that are fitted and served under each SCHEDULE with exact features.

    A model for each, on the same rows and days; nothing is registered.
    """
    from rich.console import Console

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.cli.visibility import visibility_of

    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from lockstep.settings import Settings
        from training.fit import FitParameters
        from training.freshness_cost import freshness_cost as cost_of
        from training.use_case import load_use_case

        settings = Settings()
        chosen = load_use_case(use_case, feature_service=feature_service)
        results = cost_of(
            settings,
            open_feature_store(settings),
            chosen,
            {t: visibility_of(t, use_case, settings, option="--schedule") for t in schedule},
            as_of=utc_instant(as_of, "--as-of") if as_of else None,
            split=changed(
                chosen.split,
                test_days=test_days,
                train_days=train_days,
                embargo_days=embargo_days,
            ),
            parameters=changed(
                chosen.parameters or FitParameters(), iterations=iterations, seed=seed
            ),
            progress=progress,
        )
    Console().print(cost_table(results, chosen.task.gain, by=chosen.block))
    if plot is not None:
        from training.freshness_cost import cost_figure

        cost_figure(results, chosen.task.gain).savefig(plot)
        typer.echo(f"{plot} shows it")


def cost_table(results: Sequence[ScheduleResult], metric: str, *, by: str) -> Table:
    """A row a schedule: the metric, and how far it is from that of exact features."""
    from rich.table import Table

    from lockstep.cli.metrics_table import in_words

    title = f"{metric} on {results[0].rows:,} later rows, with intervals by {by}"
    table = Table("features", title=title, title_justify="left")
    table.add_column(metric, justify="right")
    table.add_column("against exact", justify="right")
    for result in results:
        difference = result.difference.get(metric)
        against = in_words(difference) if difference else ""
        table.add_row(result.schedule, in_words(result.metrics[metric]), against)
    return table
