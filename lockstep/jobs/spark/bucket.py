"""The first half of a Spark build, in its tasks: one bucket's source rows to staged steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from lockstep.jobs.arrivals import Arrivals, known_us
from lockstep.jobs.interval import Interval
from lockstep.jobs.memory import peak_mb
from lockstep.jobs.spark.account import BucketAccount
from lockstep.jobs.spark.portions import portions
from lockstep.jobs.spark.staging import Piece, Staging
from lockstep.windows.microseconds import microseconds
from lockstep.windows.resolution import change_points_saved
from lockstep.windows.steps import step_batches

BUCKET = "__bucket"
# Steps that a task holds before it stages them, in bytes of memory.
_PIECE_BYTES = 64 * 10**6


@dataclass(frozen=True)
class BucketJob:
    """What every task is told: the types of its rows, the interval, where steps go."""

    staging: Staging
    schema: pl.Schema
    interval: Interval

    def run(self, batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
        """Stages the steps of one bucket, which has all rows of its entities.

        The rows are in memory as they came, what is made of them never all at once: a hot
        entity's steps are computed portion by portion and leave in pieces.

        Raises:
            EventsError: the rows are not what the spec declares.
        """
        received = list(batches)
        if not received:
            return
        bucket = received[0].column(BUCKET)[0].as_py()
        rows = pl.DataFrame(pa.Table.from_batches(received).drop_columns([BUCKET]))
        del received
        yield self._staged(bucket, rows.cast(self.schema)).as_json()

    def _staged(self, bucket: int, rows: pl.DataFrame) -> BucketAccount:
        spec, start = self.staging.spec, self.interval.start
        before, arrived = rows.clear(), rows
        if start is not None:
            start_us = microseconds(start)
            before = rows.filter(known_us() >= start_us - spec.reach_us, known_us() < start_us)
            arrived = rows.filter(known_us() >= start_us)
        return BucketAccount(
            pieces=tuple(self._stage(bucket, self._frames(rows))),
            arrivals=Arrivals.of(arrived, spec),
            before=Arrivals.of(before, spec),
            entities=arrived.select(pl.struct(spec.entity_keys).n_unique()).item(),
            merged=self._merged_by_resolution(rows),
            peak_mb=peak_mb(),
        )

    def _frames(self, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
        for portion, events in portions(rows, self.staging.spec, self.interval):
            start, end = portion.start, portion.end
            yield from step_batches(events, self.staging.spec, start=start, end=end)

    def _merged_by_resolution(self, rows: pl.DataFrame) -> int:
        spec = self.staging.spec
        if spec.resolution is None:
            return 0
        return sum(
            change_points_saved(events, spec, start=portion.start, end=portion.end)
            for portion, events in portions(rows, spec, self.interval)
        )

    def _stage(self, bucket: int, frames: Iterator[pl.DataFrame]) -> Iterator[Piece]:
        held: list[pl.DataFrame] = []
        number = 0
        for frame in frames:
            held.append(frame)
            if sum(part.estimated_size() for part in held) >= _PIECE_BYTES:
                yield self.staging.write(bucket, number, held)
                held, number = [], number + 1
        if held:
            yield self.staging.write(bucket, number, held)
