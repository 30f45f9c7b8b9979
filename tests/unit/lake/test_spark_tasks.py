"""What tasks are told and what they tell, without Spark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import Row
from source_histories import STEPS, T0

from lockstep.errors import LockstepError
from lockstep.jobs.arrivals import Arrivals
from lockstep.jobs.errors import BuildError
from lockstep.jobs.spark.account import BucketAccount
from lockstep.jobs.spark.merge import MergeJob
from lockstep.jobs.spark.staging import Piece, Staging
from lockstep.lake.errors import NoObjectError
from lockstep.lake.lake import Lake
from lockstep.lake.spark.errors import SparkError
from lockstep.lake.spark.outcome import Batches, as_outcomes, outcomes
from lockstep.lake.spark.schema import spark_schema
from lockstep.windows.errors import EventsError

DAYS = [T0.date() + timedelta(days=n) for n in range(5)]


def told(work: Any) -> list[dict[str, Any]]:
    """What the driver gets of what a task did."""
    batches = as_outcomes(work)(iter(()))
    return outcomes([Row(**row) for batch in batches for row in batch.to_pylist()])


@pytest.mark.parametrize(
    "error",
    [
        EventsError.nulls("amount", 3),
        NoObjectError.at("s3://bucket/lake/x"),
        BuildError.never_built("fraud/steps"),
        SparkError.no_java(),
    ],
)
def test_an_error_of_a_task_is_the_same_error_on_the_driver(error: LockstepError) -> None:
    def work(batches: Batches) -> Iterator[dict[str, Any]]:
        yield {"fine": 1}
        raise error

    with pytest.raises(type(error)) as raised:
        told(work)
    assert type(raised.value) is type(error)
    assert (raised.value.problem, raised.value.next_step) == (error.problem, error.next_step)


def test_memory_that_is_not_enough_is_said_in_a_line() -> None:
    def work(batches: Batches) -> Iterator[dict[str, Any]]:
        yield {}
        raise MemoryError

    with pytest.raises(SparkError, match="no more memory"):
        told(work)


def test_a_fault_stays_a_fault() -> None:
    def work(batches: Batches) -> Iterator[dict[str, Any]]:
        yield {}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        told(work)


def test_accounts_travel_and_add_up() -> None:
    late = Arrivals(rows=3, late={"on_time": 2, "older": 1}, deletions=1, hashes={7: 2**64 - 1})
    one = BucketAccount((Piece("a/b", {DAYS[0]: 3}),), late, Arrivals(rows=1), 2, -4, 50)
    other = BucketAccount(entities=1, peak_mb=70, arrivals=Arrivals(rows=1, hashes={7: 2}))

    def work(batches: Batches) -> Iterator[dict[str, Any]]:
        yield one.as_json()
        yield other.as_json()

    first, second = map(BucketAccount.from_json, told(work))
    assert (first, second) == (one, other)
    both = first + second
    assert (both.entities, both.merged, both.peak_mb, both.arrivals.rows) == (3, -4, 70, 4)
    assert both.arrivals.hashes == {7: 1}


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=5), st.integers(0, 5))
def test_every_day_is_merged_once_by_tasks_of_bounded_size(rows: list[int], pieces: int) -> None:
    days = DAYS[: len(rows)]
    staging = Staging(Lake.at("/lake").table(STEPS.table), STEPS, "run")
    staged = [
        Piece(str(n), {day: more // pieces for day, more in zip(days, rows, strict=True)})
        for n in range(pieces)
    ]
    tasks = MergeJob(staging, staged, days, (None, None)).tasks
    assert [day for task in tasks for day in task] == days
    held = {day: sum(piece.days[day] for piece in staged) for day in days}
    assert all(len(task) == 1 or sum(held[day] for day in task) <= 1_000_000 for task in tasks)
    assert all(
        sum(held[day] for day in [*task, after[0]]) > 1_000_000
        for task, after in zip(tasks, tasks[1:], strict=False)
    )


def test_dead_runs_leave_nothing(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    table = lake.table(STEPS.table)
    lake.write_bytes(table.key("_staging/dead/00000-00000.parquet"), b"")
    table.write_day(date(2018, 4, 1), pl.DataFrame({"a": [1]}))
    Staging(table, STEPS, "run").clear()
    assert lake.list("") == [table.part(date(2018, 4, 1))]


def test_types_that_spark_would_change_are_refused() -> None:
    with pytest.raises(SparkError, match=r"cannot read column 'at' of type Datetime\(.*'ns'"):
        spark_schema(pl.Schema({"at": pl.Datetime("ns", "UTC")}))
