"""`lockstep ingest`: raw files into the lake, every row accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lockstep.jobs.ingest.engine import Engine, Progress
    from lockstep.jobs.ingest.receipt import IngestReceipt
    from lockstep.lake.lake import Lake


def ingest(
    context: typer.Context,
    use_case: Annotated[str, typer.Argument(help="Whose data, such as 'fraud'.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Parquet, CSV or header-less text, or a folder of such; a path or s3://.",
        ),
    ],
    max_rejected_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Refuse a source with a larger share of bad rows."),
    ] = 0.1,
    engine: Annotated[
        Literal["local", "spark"], typer.Option(help="Spark is for what one machine cannot do.")
    ] = "local",
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="A source without a row is fine: it was quiet.")
    ] = False,
) -> None:
    """Checks FILE and adds its rows to the lake; bad rows go to a side table with the reason.

    Further options are the use case's own, such as --label-delay-days.
    """
    from rich.console import Console

    from lockstep.cli.own_options import called_with
    from lockstep.cli.progress import progress_shown
    from lockstep.jobs.ingest.errors import EmptySourceError
    from lockstep.jobs.ingest.rejected import RejectedTable
    from lockstep.jobs.ingest.run import ingest as run
    from lockstep.jobs.ingest.source import source_key
    from lockstep.lake.lake import Lake
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case

    module = load_use_case("lockstep.jobs.ingest", use_case, entry="ingest_spec")
    spec = called_with(module.ingest_spec, context.args)
    lake = Lake.at(Settings().lake)
    lake.preflight()
    with progress_shown() as progress:
        try:
            receipt = run(
                spec,
                source,
                lake=lake,
                engine=_engine(engine, use_case, lake=lake, progress=progress),
                max_rejected_share=max_rejected_share,
                progress=progress,
            )
        except EmptySourceError as error:
            if not allow_empty:
                raise
            typer.echo(f"nothing to add: {error.problem}")
            return
    Console().print(_summary(receipt))
    if receipt.rejected:
        folder = RejectedTable(lake, spec.rejected).folder(source_key(receipt.source_sha256))
        typer.echo(f"{receipt.rejected:,} bad rows with their reasons: {lake.address(folder)}")
    if receipt.created_time_from == "event_time":
        typer.echo("created times: none in the file, event times taken")


def _engine(name: str, use_case: str, *, lake: Lake, progress: Progress) -> Engine:
    if name == "spark":
        from lockstep.jobs.ingest.spark import SparkEngine
        from lockstep.lake.spark.session import spark_session

        return SparkEngine(spark_session(f"lockstep ingest {use_case}", lake=lake), progress)
    from lockstep.jobs.ingest.local import LocalEngine

    return LocalEngine()


def _summary(receipt: IngestReceipt) -> Table:
    from rich.table import Table

    title = f"{receipt.source_file}, {receipt.seconds:.1f} s"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("rows in the source", f"{receipt.rows_in:,}")
    table.add_row("accepted", f"{receipt.accepted:,}")
    for what in ("late", "corrections", "deletions"):
        if rows := getattr(receipt, what):
            table.add_row(f"  {what}", f"{rows:,}")
    table.add_row("already there", f"{receipt.already_there:,}")
    if receipt.forgotten:
        table.add_row("refused: forgotten", f"{receipt.forgotten:,}")
    table.add_row("rejected", f"{receipt.rejected:,}")
    for reason, rows in receipt.rejected_by_reason.items():
        table.add_row(f"  {reason}", f"{rows:,}")
    if receipt.out_of_range:
        table.add_row("  out of range in all", f"{receipt.out_of_range:,}")
    if receipt.first_day:
        table.add_section()
        table.add_row("days", f"{receipt.first_day} to {receipt.last_day}")
    for name, days in receipt.days_written.items():
        table.add_row(f"  written in {name}", f"{days:,}")
    return table
