"""What an ingest will write, decided in full before the first byte is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lockstep.jobs.ingest.check import REASON, check, count_reasons, with_duplicates, with_reason
from lockstep.jobs.ingest.column import Problem
from lockstep.jobs.ingest.compare import stored_alike
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.source import ROW_NUMBER, Source
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import CREATED_TIMESTAMP

_REASONS_SHOWN = 3


@dataclass(frozen=True)
class Plan:
    """The rows that each table lacks, in the order of writing, and where every row went.

    `rejected` is the bad rows as they stood in the file, with their reason. `days` are
    the first and the last day of the good rows, None when there are none.
    """

    additions: tuple[tuple[LakeTable, pl.DataFrame], ...]
    rejected: pl.DataFrame
    accepted: int
    already_there: int
    days: tuple[str, str] | None


def plan_ingest(source: Source, spec: IngestSpec, lake_dir: Path) -> Plan:
    """Where each row of `source` goes: into the tables, nowhere (it is there), or aside.

    A row that one table lacks and another has, as an interrupted ingest leaves it, is
    accepted and completed. A row that differs from a stored one of its key is rejected.

    Raises:
        IngestError: a column cannot be read at all.
        LakeError: a stored partition cannot be read.
    """
    checked = with_duplicates(check(source.rows, spec.columns), spec.key)
    good = _with_created(checked.filter(pl.col(REASON).is_null()), spec)
    derived = [(LakeTable(lake_dir, table.name), table.derive(good)) for table in spec.tables]
    alike = [stored_alike(table, rows, spec.key) for table, rows in derived]
    there, conflict = _in_every_table(alike), _other_in_any_table(alike)
    numbers = good.filter(conflict)[ROW_NUMBER]
    return Plan(
        additions=tuple(
            (table, rows.filter(same.is_null() & ~conflict))
            for (table, rows), same in zip(derived, alike, strict=True)
        ),
        rejected=_rejected(source, with_reason(checked, numbers, Problem.CONFLICTING_ID)),
        accepted=int((~conflict & ~there).sum()),
        already_there=int(there.sum()),
        days=_days(good.filter(~conflict)[spec.event_time]),
    )


def require_share(plan: Plan, source: Source, allowed: float) -> None:
    """Lets a file pass that has at most the `allowed` share of bad rows.

    Raises:
        IngestError: it has more; the most frequent reasons are named.
    """
    rejected, rows = len(plan.rejected), len(source.rows)
    if rejected / rows <= allowed:
        return
    counts = count_reasons(plan.rejected[REASON])
    shown = [f"{reason} in {count:,}" for reason, count in list(counts.items())[:_REASONS_SHOWN]]
    next_step = "mend the file, or allow more with --max-rejected-share"
    if next(iter(counts)) == Problem.CONFLICTING_ID:
        next_step = (
            "the lake holds other values under these ids: ingest with the same options as "
            "the first time, or into another LOCKSTEP_HOME"
        )
    raise IngestError.too_many_rejected(
        source.path,
        rejected=rejected,
        rows=rows,
        allowed=allowed,
        reasons=", ".join(shown),
        next_step=next_step,
    )


def _with_created(good: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    if CREATED_TIMESTAMP in good.columns:
        return good
    return good.with_columns(pl.col(spec.event_time).alias(CREATED_TIMESTAMP))


def _in_every_table(alike: list[pl.Series]) -> pl.Series:
    return pl.select(pl.all_horizontal(same.fill_null(value=False) for same in alike)).to_series()


def _other_in_any_table(alike: list[pl.Series]) -> pl.Series:
    return pl.select(pl.any_horizontal(~same.fill_null(value=True) for same in alike)).to_series()


def _rejected(source: Source, checked: pl.DataFrame) -> pl.DataFrame:
    """The rows that have a reason, as they stood in the file."""
    reasons = checked[REASON]
    return source.rows.with_columns(reasons).filter(reasons.is_not_null())


def _days(event_times: pl.Series) -> tuple[str, str] | None:
    days = event_times.cast(pl.Datetime("us")).dt.date().sort()
    return None if days.is_empty() else (str(days[0]), str(days[-1]))
