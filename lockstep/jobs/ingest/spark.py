"""The ingest on Spark, for what one machine does not hold: the same functions in its tasks.

Splits are read and checked in `mapInArrow`; one shuffle by the bucket of the id; each
bucket, and each merge of days, is a task. Tasks read the source and the lake by themselves,
so that a row is parsed by the same code as in one process, and answer with counts.
"""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from lockstep.errors import LockstepError
from lockstep.jobs.ingest.check import REASON
from lockstep.jobs.ingest.engine import Check, Item, Progress, Result, bucket_of
from lockstep.jobs.ingest.split import FILE, ROW_NUMBER, Split
from lockstep.lake.spark.collect import collect
from lockstep.lake.spark.outcome import Batches, Work, error_told, told_of
from lockstep.lake.spark.schema import spark_schema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_BUCKET = "bucket"
_RESULT = "result"
_BATCH_ROWS = 100_000
# The file number of a row that is none: its reason is the error that the split of its row
# number gave, which has to come through the shuffle.
_NO_FILE = -1


@dataclass(frozen=True)
class SparkEngine:
    """Many things at a time; see `Engine`."""

    session: SparkSession
    progress: Progress = lambda what, share: None
    rows_a_bucket: int = 500_000

    def each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        def work(batches: Batches) -> Iterator[dict[str, Any]]:
            for number in _numbers(batches):
                yield _told(function(items[number]))

        return self._results(self._tasks(len(items)), work, len(items)) if items else iter(())

    def each_bucket(
        self,
        splits: Sequence[Split],
        check: Check,
        settle: Callable[[int, pl.DataFrame], Result],
        *,
        key: Sequence[str],
        schema: pl.Schema,
        buckets: int,
    ) -> Iterator[Result]:
        def read(batches: Batches) -> Batches:
            for number in _numbers(batches):
                rows = _checked(number, splits[number], check, schema)
                yield from _batches(rows.with_columns(bucket_of(key, buckets).alias(_BUCKET)))

        def work(batches: Batches) -> Iterator[dict[str, Any]]:
            if received := list(batches):
                rows = pl.DataFrame(pa.Table.from_batches(received))
                _raise_failure(rows)
                yield _told(settle(rows[_BUCKET][0], rows.drop(_BUCKET)))

        columns = spark_schema(pl.Schema({**schema, _BUCKET: pl.Int32()}))
        checked = self._tasks(len(splits)).mapInArrow(read, columns)
        return self._results(checked.repartitionById(buckets, _BUCKET), work, buckets)

    def _tasks(self, count: int) -> DataFrame:
        return self.session.range(0, count, 1, count)

    def _results(self, frame: DataFrame, work: Work, tasks: int) -> Iterator[Any]:
        """What the work made of each partition, in their order, once all is done."""

        def shown(done: int) -> None:
            self.progress(f"{done:,} of {tasks:,} tasks", done / tasks)

        for told in collect(frame, work, shown):
            yield pickle.loads(base64.b85decode(told[_RESULT]))


def _numbers(batches: Batches) -> Iterator[int]:
    for batch in batches:
        yield from batch.column("id").to_pylist()


def _batches(rows: pl.DataFrame) -> Iterator[pa.RecordBatch]:
    table = rows.to_arrow()
    # Spark's `string` is Arrow's with 32-bit offsets.
    schema = table.schema
    place = schema.get_field_index(REASON)
    table = table.cast(schema.set(place, pa.field(REASON, pa.string())))
    yield from table.to_batches(_BATCH_ROWS)


def _checked(number: int, split: Split, check: Check, schema: pl.Schema) -> pl.DataFrame:
    """The split's rows, or one that stands for the error that it gave."""
    try:
        return check(split)
    except LockstepError as error:
        failed = {FILE: _NO_FILE, ROW_NUMBER: number, REASON: json.dumps(told_of(error))}
        return pl.DataFrame([failed], schema=schema)


def _raise_failure(rows: pl.DataFrame) -> None:
    failed = rows.filter(pl.col(FILE) == _NO_FILE).sort(ROW_NUMBER)
    if failed.height:
        raise error_told(json.loads(failed[REASON][0]))


def _told(result: object) -> dict[str, Any]:
    return {_RESULT: base64.b85encode(pickle.dumps(result)).decode()}
