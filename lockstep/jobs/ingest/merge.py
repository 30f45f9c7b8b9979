"""From committed facts to day partitions, the same bytes however the facts arrived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.lake.stage import Stage
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED, EVENT_TIMESTAMP

_ROWS_AT_ONCE = 1_000_000
_DAY = ":day"


@dataclass(frozen=True)
class DayMerge:
    """Some days of one table, from `first` to `last`, that one task merges."""

    table: str
    first: date
    last: date


def day_merges(table: str, facts: Mapping[date, int]) -> Iterator[DayMerge]:
    """The days in order, as many together as have about a million new facts."""
    first, rows = None, 0
    days = sorted(facts)
    for day in days:
        first, rows = first or day, rows + facts[day]
        if rows >= _ROWS_AT_ONCE or day == days[-1]:
            yield DayMerge(table, first, day)
            first, rows = None, 0


def merge_days(merge: DayMerge, stage: Stage, spec: IngestSpec) -> None:
    """Replaces each day's partition by its old facts and the staged ones; repeatable.

    Raises:
        LakeError: a partition cannot be read.
    """
    table = stage.lake.table(merge.table)
    start, end = _midnight(merge.first), _midnight(merge.last) + timedelta(days=1)
    event = pl.col(EVENT_TIMESTAMP)
    staged = stage.scan(merge.table).filter(event.is_between(start, end, closed="left")).collect()
    existing = set(table.days())
    days = staged.with_columns(event.dt.date().alias(_DAY))
    parts = days.partition_by(_DAY, as_dict=True, include_key=False)
    for (each,), new in sorted(parts.items()):
        rows = pl.concat([table.read_day(each), new]) if each in existing else new
        table.write_day(each, in_order(rows.unique(spec.fact), spec))


def in_order(facts: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    """By time, id and created time, a deletion before the row that comes in its place."""
    order = [EVENT_TIMESTAMP, *spec.key, CREATED_TIMESTAMP, DELETED]
    falling = [name == DELETED for name in order]
    return facts.sort(order, descending=falling)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
