"""`lockstep correct`: corrected rows brought to every place that shows them, with a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lockstep.parity.correction.receipt import CorrectionReceipt


def correct(
    use_case: Annotated[str, typer.Argument(help="Whose data, such as 'fraud'.")],
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="FILE", help="Later versions of stored rows, as for `ingest`."
        ),
    ],
) -> None:
    """Ingests corrections, builds the windows that they change, and writes them online.

    Every row must correct one that is stored: all are taken or none. Exits with 1 where there
    was nothing to correct, or the online store differs from the lake afterwards. What breaks off
    is gone on with by the same command.
    """
    from rich.console import Console

    from lockstep.cli.forget import holdings
    from lockstep.cli.progress import progress_shown
    from lockstep.cli.quiet import quiet_libraries
    from lockstep.contract.clock import SystemClock
    from lockstep.parity.correction.run import correct as run
    from lockstep.settings import Settings

    quiet_libraries()
    with progress_shown() as progress:
        held = holdings(use_case, Settings())
        receipt = run(held, source, clock=SystemClock(), progress=progress)
    if receipt is None:
        typer.echo("nothing to correct: the lake says so already")
        raise typer.Exit(1)
    Console().print(_summary(receipt))
    if not receipt.is_clean:
        raise typer.Exit(1)


def _summary(receipt: CorrectionReceipt) -> Table:
    from rich.table import Table

    title = f"{receipt.source_file}: {receipt.rows:,} rows corrected"
    table = Table("what", "before", "after", title=title)
    for name, change in {**receipt.tables, **receipt.windows}.items():
        table.add_row(name, change.before[:16], change.after[:16])
    for view, counts in receipt.online.items():
        told = f"{counts['keys']:,} keys read back, {counts['differing']:,} differ"
        table.add_row(f"online: {view}", "", told)
    return table
