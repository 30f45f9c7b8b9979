"""The source rows that an interval's steps can depend on, as Spark reads them.

Which those are, and in which partitions they stand, is said in `lockstep.jobs.inputs`. What
is read here may be some rows too many; each task chooses among its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

from lockstep.jobs.inputs import Inputs
from lockstep.jobs.interval import Interval, midnight_of
from lockstep.lake.errors import LakeError
from lockstep.lake.spark.errors import SparkError
from lockstep.lake.spark.s3a import hadoop_path
from lockstep.lake.spark.schema import spark_schema
from lockstep.lake.table import LakeTable
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED, EVENT_TIMESTAMP

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_OLDEST = "__oldest"


def source_rows(spark: SparkSession, source: Inputs, interval: Interval) -> DataFrame:
    """The rows known from one window before the interval on, and older ones in late reach.

    All rows known before the end where the interval has no start.

    Raises:
        SparkError: a column has a type that Spark does not read exactly.
    """
    start, end = interval.start, interval.end
    since = None if start is None else source.window_start(start)
    rows = _read(spark, source, source.days_known_in(since, end))
    rows = rows.filter(_or_unknown(_known() < _instant(end)))
    if start is None or since is None:
        return rows
    rows = rows.filter(_or_unknown(_known() >= _instant(since)))
    may_be_late = any(midnight_of(day) < start for day in source.days_known_in(start, end))
    return _with_older(rows, source, start, since) if may_be_late else rows


def count_entities(spark: SparkSession, source: Inputs, interval: Interval) -> int:
    """Of how many entities rows became known in the interval."""
    rows = source_rows(spark, source, interval)
    if interval.start is not None:
        rows = rows.filter(_known() >= _instant(interval.start))
    return rows.select(list(source.spec.entity_keys)).distinct().count()


@contextmanager
def unchanged(source: Inputs, interval: Interval) -> Iterator[None]:
    """Reads the source meanwhile: tasks see its objects at different times.

    Raises:
        LakeError: a partition that was read has been replaced, or cannot be read.
    """
    table = source.table
    start = interval.start
    since = None if start is None else source.window_start(start)
    keys = [table.part(day) for day in source.days_known_in(since, interval.end)]
    before = _versions(table, keys)
    try:
        yield
    except SparkError:
        for key in keys:
            table.lake.read_parquet(key)
        raise
    if _versions(table, keys) != before:
        raise LakeError.changing(table.address)


def _versions(table: LakeTable, keys: list[str]) -> list[str | None]:
    found = table.lake.versions(table.key("day="))
    return [found.get(key) for key in keys]


def _with_older(rows: DataFrame, source: Inputs, start: datetime, since: datetime) -> DataFrame:
    """The rows, and those known before `since` that are reached by the late ones among them."""
    from pyspark.sql import functions as sf

    late = rows.filter((_known() >= _instant(start)) & (sf.col(EVENT_TIMESTAMP) < _instant(start)))
    days = late.select(sf.to_date(EVENT_TIMESTAMP).alias("day")).distinct().collect()
    reached = source.days_reached_by({row.day for row in days}, start)
    if not reached:
        return rows
    keys = list(source.spec.entity_keys)
    first = sf.min(sf.unix_micros(EVENT_TIMESTAMP)) - source.spec.reach_us
    oldest = late.groupBy(keys).agg(sf.timestamp_micros(first).alias(_OLDEST))
    older = _read(rows.sparkSession, source, reached).filter(_known() < _instant(since))
    older = older.join(oldest, keys).filter(sf.col(EVENT_TIMESTAMP) >= sf.col(_OLDEST))
    return rows.unionByName(older.drop(_OLDEST))


def _read(spark: SparkSession, source: Inputs, days: Iterable[date]) -> DataFrame:
    from pyspark.sql import functions as sf

    lake, table, schema = source.table.lake, source.table, spark_schema(source.schema)
    uris = [hadoop_path(lake.address(table.part(day))) for day in sorted(days)]
    if not uris:
        return spark.createDataFrame([], schema)
    rows = spark.read.schema(schema).parquet(*uris)
    if DELETED in source.schema:
        rows = rows.withColumn(DELETED, sf.coalesce(DELETED, sf.lit(False)))
    return rows


def _known() -> Column:
    from pyspark.sql import functions as sf

    return sf.greatest(EVENT_TIMESTAMP, CREATED_TIMESTAMP)


def _or_unknown(condition: Column) -> Column:
    """Also for rows without any time, which their task refuses."""
    from pyspark.sql import functions as sf

    return sf.coalesce(condition, sf.lit(True))


def _instant(instant: datetime) -> Column:
    """The instant exactly, whatever the session's time zone."""
    from pyspark.sql import functions as sf

    return sf.timestamp_micros(sf.lit(microseconds(instant)))
