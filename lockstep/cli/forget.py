"""`lockstep forget`: one entity erased wherever it stands, with a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lockstep.parity.erasure.receipt import ErasureReceipt
    from lockstep.parity.erasure.run import Holdings
    from lockstep.settings import Settings


def forget(
    use_case: Annotated[str, typer.Argument(help="Whose data, such as 'fraud'.")],
    entity: Annotated[
        str, typer.Option(help="One entity and its id, such as customer=42.", metavar="NAME=ID")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be erased; change nothing.")
    ] = False,
) -> None:
    """Erases all rows of the entity, and what is made of them, wherever USE_CASE keeps it.

    Reads every place again afterwards. Exits with 1 where nothing was found, or something is
    left. What breaks off is gone on with by the same command.
    """
    from rich.console import Console

    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.contract.clock import SystemClock

    quiet_libraries()
    with progress_shown() as progress:
        progress("starting", 0.0)
        from feature_repo.discovery import feast_objects
        from lockstep.parity.erasure.entity import ErasedEntity
        from lockstep.parity.erasure.run import forget as run
        from lockstep.settings import Settings

        held = holdings(use_case, Settings())
        keys = {
            found.name: found.join_key
            for found in feast_objects(use_case).values()
            if hasattr(found, "join_key")
        }
        erased = ErasedEntity.parsed(entity, held.spec, join_keys=keys)
        receipt = run(held, erased, clock=SystemClock(), progress=progress, dry_run=dry_run)
    Console().print(_summary(receipt))
    for place in receipt.places:
        for why in place.remains:
            typer.echo(f"{place.place}: {why}")
    if not receipt.rows:
        typer.echo("nothing was found")
    if not (receipt.rows and (dry_run or receipt.is_clean)):
        raise typer.Exit(1)


def holdings(use_case: str, settings: Settings) -> Holdings:
    """Where a use case keeps what can be erased or corrected.

    Raises:
        UseCaseError: there is none of that name.
        LakeError: the lake cannot be reached.
    """
    from feature_repo.store import open_feature_store
    from lockstep.lake.lake import Lake
    from lockstep.parity.erasure.run import Holdings
    from lockstep.use_cases import load_use_case
    from serving.settings import ServingSettings

    module = load_use_case("lockstep.jobs.ingest", use_case, entry="ingest_spec")
    windows = load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS").WINDOW_SPECS
    lake = Lake.at(settings.lake)
    lake.preflight()
    return Holdings(
        lake=lake,
        store=open_feature_store(settings),
        spec=module.ingest_spec(),
        windows=windows,
        tracking_uri=settings.tracking_uri,
        cached_models=ServingSettings(project=settings).models_dir / use_case,
    )


def _summary(receipt: ErasureReceipt) -> Table:
    from rich.table import Table

    what = "would be erased" if receipt.is_dry_run else "erased"
    title = f"{receipt.use_case}, {receipt.column}, {what}"
    table = Table("place", "rows before", "in objects", "rows after", title=title)
    for place in receipt.places:
        counts = (place.rows_before, place.objects_before, place.rows_after)
        table.add_row(place.place, *(f"{count:,}" for count in counts))
    if receipt.others:
        checked = "keys of others online: {keys:,}, differing from the lake: {differing:,}"
        table.caption = checked.format(**receipt.others)
    return table
