"""The same join in Spark, for steps that one machine does not hold.

For each view one shuffle brings the rows and the steps of a key into one bucket. A bucket is
one task: it runs the join of this process on its rows, and stages what they see beside the
lake's tables. The driver puts the views' pieces together, in the order of the rows.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from lockstep.lake.lake import Lake
from lockstep.lake.spark.collect import spark_errors
from lockstep.lake.spark.outcome import SCHEMA, outcomes
from lockstep.lake.spark.s3a import hadoop_path
from lockstep.lake.spark.schema import spark_schema, spark_type
from lockstep.lake.spark.session import spark_session
from lockstep.stores.historical_join import ROWS_AT_ONCE, HistoricalJoin
from lockstep.stores.join_bucket import BUCKET, BucketJoin, Stages
from lockstep.stores.join_receipt import ViewAccount
from lockstep.stores.lake_errors import lake_errors
from lockstep.stores.retrieval_job import arrow_table
from lockstep.stores.view_join import ViewJoin
from lockstep.stores.view_query import ROW, columns_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

# Steps of one task: about a gigabyte with a dozen features.
_STEPS_ABUCKET = 1_000_000


@dataclass(frozen=True)
class SparkJoin(HistoricalJoin):
    """See `HistoricalJoin`: the entities stay on the driver, the steps never come there."""

    def frame(self, accounts: dict[str, ViewAccount]) -> pl.DataFrame:
        return pl.concat(self.batches(accounts))

    def batches(self, accounts: dict[str, ViewAccount]) -> Iterator[pl.DataFrame]:
        with _staging(self.views[0].table.lake) as stages:
            with lake_errors(), spark_errors():
                self._stage(stages, accounts)
            for first in range(0, max(len(self.entities), 1), ROWS_AT_ONCE):
                last = first + ROWS_AT_ONCE - 1
                seen = [stages.rows(view.name, first, last) for view in self.views]
                rows = self.entities.slice(first, ROWS_AT_ONCE)
                yield pl.concat([rows, *seen], how="horizontal")

    def _stage(self, stages: Stages, accounts: dict[str, ViewAccount]) -> None:
        spark = spark_session("lockstep join", lake=stages.lake)
        entities = self.limited().with_row_index(ROW).cast({ROW: pl.Int64})
        for view in self.views:
            told = _staged(spark, view, entities, stages)
            accounts[view.name] = sum((ViewAccount(**one) for one in told), ViewAccount())


@contextmanager
def _staging(lake: Lake) -> Iterator[Stages]:
    stages = Stages(lake, f"_staging/join-{uuid.uuid4().hex}/")
    try:
        yield stages
    finally:
        with lake_errors():
            lake.delete(lake.list(stages.folder))


def _staged(
    spark: SparkSession, view: ViewJoin, entities: pl.DataFrame, stages: Stages
) -> list[dict[str, Any]]:
    keyed = pl.concat([entities.select(ROW), view.keyed(entities)], how="horizontal")
    if keyed.is_empty():
        stages.put(view.name, 0, _nothing(view, keyed))
        return []
    table = view.table.table
    steps = int(table.collect(table.scan().select(pl.len())).item())
    buckets = max(math.ceil(steps / _STEPS_ABUCKET), spark.sparkContext.defaultParallelism)
    left = _bucketed(spark.createDataFrame(arrow_table(keyed)), view, buckets, {})
    right = _bucketed(_steps(spark, view), view, buckets, view.table.physical(view.read))
    job = BucketJoin(view.name, view.query, view.table.columns(view.read), stages)

    # Spark counts the parameters, and would hand a method the bucket's key as well.
    def run(left: pa.Table, right: pa.Table) -> pa.Table:
        return job.run(left, right)

    told = left.groupBy(BUCKET).cogroup(right.groupBy(BUCKET)).applyInArrow(run, SCHEMA)
    return outcomes(told.collect())


def _steps(spark: SparkSession, view: ViewJoin) -> DataFrame:
    """The columns of the files that are needed, as they are there."""
    source, needed = view.table.table, set(view.table.physical(view.read).values())
    schema = pl.Schema({n: kind for n, kind in source.schema.items() if n in needed})
    uris = [hadoop_path(source.lake.address(file)) for file in source.files]
    return spark.read.schema(spark_schema(schema)).parquet(*uris)


def _bucketed(rows: DataFrame, view: ViewJoin, buckets: int, physical: dict[str, str]) -> DataFrame:
    """With the number of each row's bucket; keys of equal value are in one bucket."""
    from pyspark.sql import functions as sf

    keys = [_key(view, key, physical.get(key, key)) for key in view.table.keys]
    hashed = sf.xxhash64(*keys) if keys else sf.lit(0)
    return rows.withColumn(BUCKET, sf.pmod(hashed, sf.lit(buckets)).cast("int"))


def _key(view: ViewJoin, key: str, column: str) -> Column:
    from pyspark.sql import functions as sf

    declared = view.table.key_types()[key]
    return sf.col(f"`{column}`").cast(spark_type(key, declared))


def _nothing(view: ViewJoin, keyed: pl.DataFrame) -> pl.DataFrame:
    empty = pl.DataFrame(view.table.table.scan().head(0).collect()).select(
        view.table.columns(view.read)
    )
    return columns_of(keyed, [view.query.join(keyed, empty)])
