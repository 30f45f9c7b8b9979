"""The second half of a Spark build, in its tasks: staged steps to day partitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa

from lockstep.jobs.memory import peak_mb
from lockstep.jobs.partitions import PartitionReceipt, replace_interval
from lockstep.jobs.spark.staging import Piece, Staging

# Steps of neighbouring days that one task sorts and writes; a bigger day is a task of its own.
_TASK_ROWS = 1_000_000


@dataclass(frozen=True)
class MergeJob:
    """What every task is told: where the steps are, and which ones of which days they replace."""

    staging: Staging
    pieces: Sequence[Piece]
    days: Sequence[date]
    bounds: tuple[datetime | None, datetime | None]

    @cached_property
    def tasks(self) -> list[list[date]]:
        """The days of each task, in order of time."""
        rows = self._rows_by_day()
        tasks: list[list[date]] = []
        held = 0
        for day in self.days:
            held += rows.get(day, 0)
            if tasks and held <= _TASK_ROWS:
                tasks[-1].append(day)
            else:
                tasks.append([day])
                held = rows.get(day, 0)
        return tasks

    def run(self, batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
        """Replaces the interval's steps in the days of each task, and tells what stands there.

        Raises:
            BuildError: the steps that stay have other columns.
            LakeError: a partition is needed and cannot be read.
        """
        for batch in batches:
            for number in batch.column("id").to_pylist():
                yield from self._merge(self.tasks[number])

    def _merge(self, days: Sequence[date]) -> Iterator[dict[str, Any]]:
        keys = [piece.key for piece in self.pieces if not piece.days.keys().isdisjoint(days)]
        steps = self.staging.read(keys, days[0], days[-1]) if keys else {}
        table, spec = self.staging.table, self.staging.spec
        start, end = self.bounds
        for day in days:
            parts = [steps[day]] if day in steps else []
            receipt = replace_interval(table, day, parts, spec, start=start, end=end)
            yield {"partition": asdict(receipt) | {"day": str(day)}, "peak_mb": peak_mb()}

    def _rows_by_day(self) -> Mapping[date, int]:
        rows: dict[date, int] = {}
        for piece in self.pieces:
            for day, more in piece.days.items():
                rows[day] = rows.get(day, 0) + more
        return rows


def partition_receipt(found: Mapping[str, Any]) -> PartitionReceipt:
    """What a task of `MergeJob` told of one day."""
    return PartitionReceipt(**{**found, "day": date.fromisoformat(found["day"])})
