"""The first half of a Spark build, in its tasks: one bucket's source rows to staged steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from lockstep.jobs.arrivals import Arrivals, known_us
from lockstep.jobs.inputs import reached_by
from lockstep.jobs.interval import Interval
from lockstep.jobs.spark.account import BucketAccount, peak_mb
from lockstep.jobs.spark.staging import Piece, Staging
from lockstep.windows.microseconds import microseconds
from lockstep.windows.resolution import change_points_saved
from lockstep.windows.spec import EVENT_TIMESTAMP
from lockstep.windows.steps import step_batches

BUCKET = "__bucket"
# Steps that a task holds before it stages them, in bytes of memory.
_PIECE_BYTES = 128 * 10**6


@dataclass(frozen=True)
class BucketJob:
    """What every task is told: the types of its rows, the interval, where steps go."""

    staging: Staging
    schema: pl.Schema
    interval: Interval

    def run(self, batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
        """Stages the steps of one bucket, which has all rows of its entities.

        The rows are in memory as they came, their steps never all: a hot entity's leave
        in pieces.

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
        spec, start, end = self.staging.spec, self.interval.start, self.interval.end
        known, before = known_us(), rows.clear()
        if start is not None:
            since_us = microseconds(start) - spec.reach_us
            before = rows.filter(known >= since_us, known < microseconds(start))
            rows = self._needed(rows, microseconds(start), since_us)
        arrived = rows if start is None else rows.filter(known >= microseconds(start))
        return BucketAccount(
            pieces=tuple(self._stage(bucket, rows)),
            arrivals=Arrivals.of(arrived, spec),
            before=Arrivals.of(before, spec),
            entities=arrived.select(pl.struct(spec.entity_keys).n_unique()).item(),
            merged=change_points_saved(rows, spec, start=start, end=end),
            peak_mb=peak_mb(),
        )

    def _needed(self, rows: pl.DataFrame, start_us: int, since_us: int) -> pl.DataFrame:
        """What became known in the interval, the window before it, and what late rows reach."""
        event = pl.col(EVENT_TIMESTAMP).to_physical()
        near = (known_us() >= start_us) | (event >= since_us)
        late = rows.filter(known_us() >= start_us, event < start_us)
        older = reached_by(late, rows.lazy().filter(~near), self.staging.spec)
        return pl.concat([rows.filter(near), older.collect()])

    def _stage(self, bucket: int, rows: pl.DataFrame) -> Iterator[Piece]:
        held: list[pl.DataFrame] = []
        number = 0
        start, end = self.interval.start, self.interval.end
        for frame in step_batches(rows, self.staging.spec, start=start, end=end):
            held.append(frame)
            if sum(part.estimated_size() for part in held) >= _PIECE_BYTES:
                yield self.staging.write(bucket, number, held)
                held, number = [], number + 1
        if held:
            yield self.staging.write(bucket, number, held)
