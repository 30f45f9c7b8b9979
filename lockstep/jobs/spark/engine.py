"""The Spark engine: an interval's steps staged by bucket, then merged by day."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from lockstep.jobs.arrivals import Arrivals
from lockstep.jobs.engine import Progress, Written
from lockstep.jobs.errors import BuildError
from lockstep.jobs.interval import Interval
from lockstep.jobs.plan import BuildPlan
from lockstep.jobs.spark.account import BucketAccount
from lockstep.jobs.spark.bucket import BUCKET, BucketJob
from lockstep.jobs.spark.merge import MergeJob, partition_receipt
from lockstep.jobs.spark.source_rows import count_entities, source_rows, unchanged
from lockstep.jobs.spark.staging import Staging
from lockstep.jobs.state import drop_state
from lockstep.lake.spark.collect import collect, spark_errors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Rows that one task holds; and so few that one more task is not worth its start.
_MOST_ROWS, _FEWEST_ROWS = 500_000, 20_000
# The share of a build's time that goes into staging; the rest is merging.
_STAGING = 0.5


class SparkEngine:
    """Computes the whole interval at once, in one shuffle; see `Engine`.

    All rows of an entity meet in one bucket, and a bucket is one task. Nothing of the table
    is touched until the steps of all buckets are staged.
    """

    name = "spark"

    def __init__(self, plan: BuildPlan, *, spark: SparkSession) -> None:
        self._plan = plan
        self._spark = spark
        self._staging = Staging(plan.table, plan.spec, uuid.uuid4().hex)
        self._account = BucketAccount()
        self._built: list[Interval] = []
        self._peak_mb = 0

    def pieces(self, whole: Interval) -> Iterable[Interval]:
        return [whole]

    def compute(self, piece: Interval, progress: Progress) -> Arrivals:
        self._staging.clear()
        with unchanged(self._plan.inputs, piece), spark_errors():
            self._account = self._stage(piece, progress)
        self._built.append(piece)
        self._peak_mb = max(self._peak_mb, self._account.peak_mb)
        self._require_window(piece)
        return self._account.arrivals

    def write(self, piece: Interval, progress: Progress) -> Written:
        pieces = self._account.pieces
        days = {*self._plan.days_of(piece), *(day for one in pieces for day in one.days)}
        job = MergeJob(self._staging, pieces, sorted(days), self._plan.bounds(piece))
        tasks = len(job.tasks)
        told = []
        if tasks:
            told = collect(
                self._spark.range(0, tasks, 1, tasks),
                job.run,
                lambda done: progress(
                    f"{self._plan.table.name}: {done} of {tasks} groups of days",
                    _STAGING + (1 - _STAGING) * done / tasks,
                ),
            )
        self._staging.clear()
        self._peak_mb = max([self._peak_mb, *(one["peak_mb"] for one in told)])
        return Written(
            partitions=[partition_receipt(one["partition"]) for one in told],
            steps=sum(sum(one.days.values()) for one in pieces),
            merged_by_resolution=self._account.merged,
        )

    def keep_state(self, end: datetime) -> None:
        """None: Spark reads the window from the source. An older snapshot is no longer needed."""
        drop_state(self._plan.table)

    def peak_mb(self) -> int:
        return self._peak_mb

    def entities(self) -> int:
        if len(self._built) == 1:
            return self._account.entities
        whole = Interval(self._built[0].start, self._built[-1].end)
        with spark_errors():
            return count_entities(self._spark, self._plan.inputs, whole)

    def _stage(self, piece: Interval, progress: Progress) -> BucketAccount:
        from pyspark.sql import functions as sf

        inputs, buckets = self._plan.inputs, self._buckets(piece)
        bucket = sf.pmod(sf.xxhash64(*inputs.spec.entity_keys), sf.lit(buckets)).cast("int")
        rows = source_rows(self._spark, inputs, piece).withColumn(BUCKET, bucket)
        told = collect(
            rows.repartitionById(buckets, BUCKET),
            BucketJob(self._staging, inputs.schema, piece).run,
            lambda done: progress(
                f"{inputs.spec.name}: {done} of {buckets} buckets", _STAGING * done / buckets
            ),
        )
        return sum(map(BucketAccount.from_json, told), BucketAccount())

    def _buckets(self, piece: Interval) -> int:
        """Enough for memory, and for all cores if that is worth it.

        Counted are the days that are read; what late rows reach before them comes on top.
        """
        inputs = self._plan.inputs
        since = None if piece.start is None else inputs.window_start(piece.start)
        days = set(inputs.days_known_in(since, piece.end))
        rows = sum(footer.rows for footer in inputs.footers if footer.day in days)
        at_once = self._spark.sparkContext.defaultParallelism
        most = math.ceil(rows / _FEWEST_ROWS)
        return max(math.ceil(rows / _MOST_ROWS), min(at_once, most), 1)

    def _require_window(self, piece: Interval) -> None:
        """Returns if the window before the first piece is what the table was built on."""
        plan, start = self._plan, piece.start
        if start is None or plan.record is None or len(self._built) > 1:
            return
        window = Interval(plan.inputs.window_start(start), start)
        if changed := plan.record.first_change(self._account.before, window):
            self._staging.clear()
            raise BuildError.changed_before(plan.table.name, start, changed)
