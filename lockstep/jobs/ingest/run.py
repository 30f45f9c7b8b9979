"""One ingest from file to receipt; the same for every use case."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl

from lockstep.jobs.ingest.check import REASON, count_reasons
from lockstep.jobs.ingest.plan import Plan, plan_ingest, require_share
from lockstep.jobs.ingest.receipt import IngestReceipt, record
from lockstep.jobs.ingest.rejected import RejectedTable
from lockstep.jobs.ingest.source import Source, read_source
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, from 0 to 1."""

_DAY = "day"


def ingest(
    spec: IngestSpec,
    path: Path,
    *,
    lake_dir: Path,
    max_rejected_share: float = 0.1,
    progress: Progress = lambda what, share: None,
) -> IngestReceipt:
    """The receipt of one file's rows, now in the lake or in the side table.

    All validation comes before the first write. Each write replaces a whole partition,
    so running the same ingest again completes one that was interrupted.

    Raises:
        IngestError: the file as a whole is refused; the lake is untouched.
        LakeError: a stored partition cannot be read; the lake is untouched.
    """
    started = time.perf_counter()
    progress(f"reading {path.name}", 0.0)
    source = read_source(path, spec)
    progress(f"checking {len(source.rows):,} rows", 0.0)
    plan = plan_ingest(source, spec, lake_dir)
    require_share(plan, source, max_rejected_share)
    RejectedTable(lake_dir, spec.rejected).replace(source, plan.rejected, spec.names)
    days_written = {t.name: _merge(t, new, spec, progress) for t, new in plan.additions}
    receipt = _receipt(source, spec, plan, days_written, time.perf_counter() - started)
    record(receipt, lake_dir, [*days_written, spec.rejected])
    return receipt


def _merge(table: LakeTable, rows: pl.DataFrame, spec: IngestSpec, progress: Progress) -> int:
    """Rewrites the days of `rows` as old and new rows together; returns how many."""
    existing = set(table.days())
    by_day = _by_day(rows)
    for done, (day, new) in enumerate(by_day.items(), start=1):
        merged = pl.concat([table.read_day(day), new]) if day in existing else new
        table.write_day(day, merged.sort(EVENT_TIMESTAMP, *spec.key))
        progress(f"{table.name}: {day}", done / len(by_day))
    return len(by_day)


def _by_day(rows: pl.DataFrame) -> dict[date, pl.DataFrame]:
    days = rows.with_columns(pl.col(EVENT_TIMESTAMP).dt.date().alias(_DAY))
    parts = days.partition_by(_DAY, as_dict=True, include_key=False)
    return {day: parts[(day,)] for (day,) in sorted(parts)}


def _receipt(
    source: Source, spec: IngestSpec, plan: Plan, days_written: dict[str, int], seconds: float
) -> IngestReceipt:
    first_day, last_day = plan.days or (None, None)
    return IngestReceipt(
        use_case=spec.use_case,
        source_file=source.path.name,
        source_sha256=source.sha256,
        rows_in=len(source.rows),
        accepted=plan.accepted,
        already_there=plan.already_there,
        rejected=len(plan.rejected),
        rejected_by_reason=count_reasons(plan.rejected[REASON]),
        first_day=first_day,
        last_day=last_day,
        days_written=days_written,
        created_time_from="column" if CREATED_TIMESTAMP in source.rows.columns else "event_time",
        seconds=round(seconds, 3),
    )
