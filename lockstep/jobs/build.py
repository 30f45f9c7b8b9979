"""The local runner: source events in the lake to a table of steps, in one process."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from lockstep.jobs.errors import BuildError
from lockstep.lake.table import LakeTable
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


def build(
    lake_dir: Path, spec: WindowSpec, *, end: datetime | None = None, progress: Progress
) -> BuildReceipt:
    """Builds the whole step table of `spec`, from its source's first event up to `end`.

    `end` defaults to the midnight (UTC) after the source's newest day. A step stands in
    the partition of the day on which it became final, that of max(event, created). Days
    are replaced one by one, then those without steps are dropped, then the horizon moves.

    Raises:
        LakeError: the source has no rows.
        BuildError: `end` is not after the source's first event.
        EventsError: the source's rows are not what the spec declares.
    """
    started = time.monotonic()
    source, target = LakeTable(lake_dir, spec.source), LakeTable(lake_dir, spec.table)
    columns = [*spec.entity_keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP, *spec.value_columns]
    events = source.scan(next_step="ingest it first, see `lockstep ingest --help`")
    rows = events.select(columns).collect()
    end = end or source.coverage_end()
    if rows.filter(pl.col(EVENT_TIMESTAMP) < end).is_empty():
        raise BuildError.no_events(spec.source, end, source.days())
    days = _steps_by_day(rows, spec, end, progress)
    size = _replace(target, days, progress)
    receipt = BuildReceipt(
        table=spec.table,
        rows_in=len(rows),
        steps=sum(part.height for parts in days.values() for part in parts),
        entities=rows.select(pl.struct(spec.entity_keys).n_unique()).item(),
        days=len(days),
        bytes=size,
        horizon=end.astimezone(UTC).isoformat(),
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

    A stable sort of 16-bit day numbers is a radix sort: 20 ms for 400,000 rows, where
    hashing the days takes five times as long.
    """
    final = np.maximum(
        batch[EVENT_TIMESTAMP].to_physical().to_numpy(),
        batch[CREATED_TIMESTAMP].to_physical().to_numpy(),
    )
    day = (final // _DAY_US).astype(np.int16)
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
