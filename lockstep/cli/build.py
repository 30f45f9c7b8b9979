"""`lockstep build`: window steps from the lake's events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer


def build(
    use_case: Annotated[str, typer.Argument(help="Whose windows, such as 'fraud'.")],
    end: Annotated[
        str | None,
        typer.Option(
            help="UTC instant before which all events are in the lake; T before it is exact.",
            show_default="just after the newest event",
        ),
    ] = None,
) -> None:
    """Builds every window table of USE_CASE from the lake's events."""
    from lockstep.cli.instants import utc_instant
    from lockstep.cli.progress import progress_shown
    from lockstep.contract.clock import SystemClock
    from lockstep.jobs.build import build as build_tables
    from lockstep.settings import Settings
    from lockstep.use_cases import load_use_case

    definitions = load_use_case("feature_repo.windows", use_case, entry="WINDOW_SPECS")
    until: datetime | None = utc_instant(end, "--end") if end else None
    lake_dir = Settings().lake_dir
    with progress_shown() as progress:
        receipts = build_tables(
            lake_dir, definitions.WINDOW_SPECS, end=until, clock=SystemClock(), progress=progress
        )
    for receipt in receipts:
        typer.echo(
            f"{receipt.table}: {receipt.steps:,} steps of {receipt.entities:,} entities from "
            f"{receipt.rows_in:,} rows, {receipt.days} days, {receipt.bytes / 1e6:.1f} MB, exact "
            f"before {receipt.horizon}; {receipt.seconds:.1f} s, at most {receipt.peak_mb:,} MB"
        )
