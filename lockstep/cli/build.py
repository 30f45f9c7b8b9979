"""`lockstep build`: window steps from the lake's events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from lockstep.jobs.receipt import BuildReceipt


def build(
    use_case: Annotated[str, typer.Argument(help="Whose windows, such as 'fraud'.")],
    start: Annotated[
        str | None,
        typer.Option(
            help="Build on from this whole hour, UTC, instead of building the tables whole.",
            show_default="the first event",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            help="Whole hour, UTC, before which all rows are in the lake; T before it is exact.",
            show_default="just after the newest event",
        ),
    ] = None,
    cascade: Annotated[
        bool, typer.Option("--cascade", help="Also build later days again if the rows changed.")
    ] = False,
    engine: Annotated[
        Literal["local", "spark"], typer.Option(help="Spark is for what one machine cannot do.")
    ] = "local",
) -> None:
    """Builds every window table of USE_CASE from the lake's events."""
    from rich.console import Console

    from lockstep.cli.instants import utc_instant
    from lockstep.cli.progress import progress_shown
    from lockstep.contract.clock import SystemClock
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case

    definitions = load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS")
    since = utc_instant(start, "--start") if start else None
    until = utc_instant(end, "--end") if end else None
    lake = Lake.at(Settings().lake)
    lake.preflight()
    with progress_shown() as progress:
        receipts = _builder(engine)(
            lake,
            definitions.WINDOW_SPECS,
            start=since,
            end=until,
            cascade=cascade,
            clock=SystemClock(),
            progress=progress,
        )
    for receipt in receipts:
        Console().print(_summary(receipt))
    for receipt in receipts:
        if receipt.stale_days:
            typer.echo(_stale(receipt))


def _builder(engine: str) -> Callable[..., list[BuildReceipt]]:
    if engine == "spark":
        from lockstep.jobs.spark.build import build_with_spark

        return build_with_spark
    from lockstep.jobs.build import build as build_locally

    return build_locally


def _summary(receipt: BuildReceipt) -> Table:
    from rich.table import Table

    title = f"{receipt.table}, {receipt.engine} engine, {receipt.seconds:.1f} s"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("from", receipt.start or "the first event")
    table.add_row("exact before", receipt.horizon)
    table.add_section()
    for what, count in _counts(receipt).items():
        table.add_row(what, f"{count:,}")
    table.add_row("content", receipt.content_hash[:16])
    return table


def _counts(receipt: BuildReceipt) -> dict[str, int]:
    rare = {
        **{f"  late, {age}": rows for age, rows in receipt.late.items() if age != "on_time"},
        "  deletions": receipt.deletions,
    }
    return {
        "rows in": receipt.rows_in,
        **{what: count for what, count in rare.items() if count},
        "entities": receipt.entities,
        "steps": receipt.steps,
        **({"  merged by the grid": saved} if (saved := receipt.merged_by_resolution) else {}),
        "days": receipt.days,
        "MB": receipt.bytes // 10**6,
        "MB of memory": receipt.peak_mb,
    }


def _stale(receipt: BuildReceipt) -> str:
    first, last = receipt.stale_days
    return (
        f"{receipt.table}: {first} to {last} are stale, as rows that they reflect have changed; "
        "build them again by the same command with --cascade"
    )
