"""`lockstep promote`: a challenger becomes champion where it is better beyond doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lockstep.cli.train import AsOf, AsServed, TestDays, UseCaseName, tell_missed_floors

if TYPE_CHECKING:
    from rich.table import Table

    from training.promote import Promotion

REFUSED = 3


def promote(
    use_case: UseCaseName,
    version: Annotated[
        int | None,
        typer.Option(min=1, help="Which version.", show_default="the challenger"),
    ] = None,
    as_of: AsOf = None,
    test_days: TestDays = None,
    margin: Annotated[
        float, typer.Option(min=-1.0, max=1.0, help="Least gain in the metric of its task.")
    ] = 0.0,
    force: Annotated[
        bool, typer.Option("--force", help="Promote it even so; the version says that.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Make the champion before this one champion again.")
    ] = False,
    as_served: AsServed = None,
    max_stale: Annotated[
        float | None,
        typer.Option(
            help="Share of vectors that the last audit may have found stale.",
            min=0.0,
            max=1.0,
            show_default="the services' tag max_stale_share",
        ),
    ] = None,
) -> None:
    """Judges champion and challenger on the same later days; a refusal exits with 3."""
    from rich.console import Console

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.metrics_table import metrics_table
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.cli.visibility import visibility_of
    from lockstep.settings import Settings

    quiet_libraries()
    if rollback:
        _roll_back(use_case)
        return
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.store import open_feature_store
        from training.errors import AlreadyChampionError
        from training.promote import PromoteOptions
        from training.promote import promote as run
        from training.promotion import PromotionRules, floor_checks
        from training.use_case import load_use_case

        settings, chosen = Settings(), load_use_case(use_case)
        options = PromoteOptions(
            version=version,
            test_days=test_days or chosen.split.test_days,
            as_of=utc_instant(as_of, "--as-of") if as_of else None,
            rules=PromotionRules(margin=margin),
            force=force,
            as_served=visibility_of(as_served, use_case, settings) if as_served else None,
            max_stale_share=max_stale,
        )
        store = open_feature_store(settings)
        try:
            promotion = run(settings, store, chosen, options, progress)
        except AlreadyChampionError as error:
            typer.echo(f"nothing to do: {error.problem}")
            return
    console, decision = Console(), promotion.decision
    first, last = (f"{day:%Y-%m-%d}" for day in promotion.days)
    columns = {
        f"champion_{promotion.champion}": decision.champion,
        f"challenger_{promotion.challenger}": decision.challenger,
        "difference": decision.difference,
    }
    columns = {name: metrics for name, metrics in columns.items() if metrics}
    console.print(metrics_table(f"{promotion.name}, {first} to {last}", **columns))
    console.print(_checks(promotion))
    tell_missed_floors(chosen, floor_checks(decision.challenger, chosen.floors))
    if not promotion.is_promoted:
        stays = f"version {promotion.champion} stays" if promotion.champion else "there is no"
        typer.echo(f"Refused: {stays} champion.")
        raise typer.Exit(REFUSED)
    how = "" if decision.is_promoted else " by --force"
    typer.echo(f"Version {promotion.challenger} is champion{how}.")


def _roll_back(use_case: str) -> None:
    from lockstep.settings import Settings
    from training.promote import roll_back
    from training.use_case import load_use_case

    left, champion = roll_back(Settings(), load_use_case(use_case))
    typer.echo(f"Version {champion} is champion again, in place of {left}.")


def _checks(promotion: Promotion) -> Table:
    from rich.table import Table

    table = Table("rule", "found", "holds", title="rules", title_justify="left")
    for check in promotion.decision.checks:
        table.add_row(check.name, check.found, "yes" if check.holds else "no")
    return table
