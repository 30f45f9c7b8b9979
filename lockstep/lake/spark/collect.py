"""Work done by tasks, with its progress, and what each of them tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lockstep.lake.spark.errors import SparkError
from lockstep.lake.spark.outcome import SCHEMA, Batches, Work, as_outcomes, outcomes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_LOOK_EVERY_SECONDS = 0.5

Shown = Callable[[int], None]


def collect(frame: DataFrame, work: Work, shown: Shown) -> list[dict[str, Any]]:
    """What `work` yields for each partition of `frame`, in their order.

    `shown` is called now and then with the number of tasks that are done.

    Raises:
        LockstepError: the error of the first task that has one.
        SparkError: a task failed where no row is to blame.
        PythonException: `work` has a fault.
    """
    done = frame.sparkSession.sparkContext.accumulator(0)

    def counted(batches: Batches) -> Batches:
        yield from as_outcomes(work)(batches)
        done.add(1)

    told = frame.mapInArrow(counted, SCHEMA)
    with spark_errors(), ThreadPoolExecutor(1) as thread:
        job = thread.submit(told.collect)
        while not wait([job], _LOOK_EVERY_SECONDS).done:
            shown(done.value)
        return outcomes(job.result())


@contextmanager
def spark_errors() -> Iterator[None]:
    """Runs jobs; what Spark raises comes as a SparkError, but for faults of our Python."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException, PythonException

    try:
        yield
    except PythonException:
        raise
    except (PySparkException, Py4JError) as error:
        raise SparkError.failed("ran tasks", error) from error
