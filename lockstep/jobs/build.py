"""The local runner: source events in the lake to a table of steps, in one process."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from lockstep.contract.clock import Clock
from lockstep.jobs.errors import BuildError
from lockstep.lake.table import LakeTable
from lockstep.windows.events import check_events
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, WindowSpec
from lockstep.windows.steps import step_batches

_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class BuildReceipt:
    """What one build did; written beside the table and shown on the terminal.

    The table is exact for T < `horizon`. `peak_mb` is the process's highest resident
    memory so far, in units of 10^6 bytes.
    """

    table: str
    rows_in: int
    steps: int
    entities: int
    days: int
    bytes: int
    horizon: str
    seconds: float
    peak_mb: int


@dataclass(frozen=True)
class _Input:
    """The checked events of one table, and the end of its build."""

    spec: WindowSpec
    rows: pl.DataFrame
    end: datetime


def build(
    lake_dir: Path,
    specs: Sequence[WindowSpec],
    *,
    end: datetime | None = None,
    clock: Clock,
    progress: Progress,
) -> list[BuildReceipt]:
    """Builds the whole step table of each spec, from its source's first event up to `end`.

    `end` says that every event before it is in the lake: the tables are exact for
    T < end. The default is just after the source's newest event, and never later than now:
    what is scheduled to become known later is not known. A step stands in the partition of
    the day on which it became final, that of max(event, created). All sources are checked
    before the first table is touched; then days are replaced one by one, those without
    steps are dropped, and the horizon moves last.

    Raises:
        LakeError: a source has no rows or cannot be read.
        BuildError: `end` is in the future, or not after a source's first event.
        EventsError: a source's rows are not what its spec declares.
    """
    now = clock.now()
    if end is not None and end > now:
        raise BuildError.future_end(end, now)
    inputs = [_checked_input(lake_dir, spec, end, now) for spec in specs]
    return [_build_table(lake_dir, checked, progress) for checked in inputs]


def _checked_input(lake_dir: Path, spec: WindowSpec, end: datetime | None, now: datetime) -> _Input:
    source = LakeTable(lake_dir, spec.source)
    columns = [*spec.entity_keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP, *spec.value_columns]
    scan = source.scan(next_step="ingest it first, see `lockstep ingest --help`")
    rows = source.collect(scan.select(columns))
    end = end or min(source.coverage_end(), now)
    if rows.filter(pl.col(EVENT_TIMESTAMP) < end).is_empty():
        raise BuildError.no_events(spec.source, end, source.days())
    check_events(rows, spec)
    return _Input(spec, rows, end)


def _build_table(lake_dir: Path, checked: _Input, progress: Progress) -> BuildReceipt:
    started = time.monotonic()
    spec, rows = checked.spec, checked.rows
    target = LakeTable(lake_dir, spec.table)
    days = _steps_by_day(rows, spec, checked.end, progress)
    size = _replace(target, days, progress)
    receipt = BuildReceipt(
        table=spec.table,
        rows_in=len(rows),
        steps=sum(part.height for parts in days.values() for part in parts),
        entities=rows.select(pl.struct(spec.entity_keys).n_unique()).item(),
        days=len(days),
        bytes=size,
        horizon=checked.end.astimezone(UTC).isoformat(),
        seconds=round(time.monotonic() - started, 3),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6,
    )
    target.write_metadata({"horizon": receipt.horizon, "build": asdict(receipt)})
    return receipt


def _steps_by_day(
    rows: pl.DataFrame, spec: WindowSpec, end: datetime, progress: Progress
) -> dict[date, list[pl.DataFrame]]:
    """The steps of each day, in pieces that follow each other in key order."""
    days: defaultdict[date, list[pl.DataFrame]] = defaultdict(list)
    done = 0
    for batch in step_batches(rows, spec, end=end):
        for day, part in _split_by_day(batch):
            days[day].append(part)
        done += batch.height
        progress(f"{spec.name}: {done:,} steps", 0.0)
    return dict(sorted(days.items()))


def _split_by_day(batch: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    """The batch by the day of max(event, created), each part in the batch's order.

    A stable sort of 16-bit day numbers (they reach the year 2149) is a radix sort.
    """
    final = np.maximum(
        batch[EVENT_TIMESTAMP].to_physical().to_numpy(),
        batch[CREATED_TIMESTAMP].to_physical().to_numpy(),
    )
    day = (final // _DAY_US).astype(np.uint16)
    order = np.argsort(day, kind="stable")
    numbers, starts = np.unique(day[order], return_index=True)
    ordered = batch[order]
    for number, start, stop in zip(numbers, starts, [*starts[1:], len(day)], strict=True):
        yield _EPOCH + timedelta(days=int(number)), ordered[int(start) : int(stop)]


def _replace(target: LakeTable, days: dict[date, list[pl.DataFrame]], progress: Progress) -> int:
    size = 0
    for done, (day, parts) in enumerate(days.items(), start=1):
        size += target.write_day(day, pl.concat(parts))
        progress(f"{target.name}: {day}", done / len(days))
    target.drop_days([day for day in target.days() if day not in days])
    return size
