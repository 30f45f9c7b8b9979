"""What tasks send back to the driver: small JSON objects, and errors as what they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lockstep.errors import LockstepError
from lockstep.lake.spark.errors import SparkError

if TYPE_CHECKING:
    from pyspark.sql import Row

SCHEMA = "outcome string"
_COLUMN = "outcome"
_FAILED = "failed"

Batches = Iterator[pa.RecordBatch]
Work = Callable[[Batches], Iterator[dict[str, Any]]]


def as_outcomes(work: Work) -> Callable[[Batches], Batches]:
    """A function for `mapInArrow` that gives one row for each object that `work` yields.

    A LockstepError becomes a row, too: it is the same at every attempt, so that Spark need
    not try again, and it reaches the driver without the traces of three runtimes.
    """

    def told(batches: Batches) -> Batches:
        try:
            for outcome in work(batches):
                yield _batch(outcome)
        except LockstepError as error:
            yield _batch({_FAILED: told_of(error)})
        except MemoryError:
            yield _batch({_FAILED: told_of(SparkError.no_memory())})

    return told


def outcomes(rows: list[Row]) -> list[dict[str, Any]]:
    """What the tasks yielded, in the order of the partitions.

    Raises:
        LockstepError: the first task's, of its own class.
    """
    found = [json.loads(row[_COLUMN]) for row in rows]
    for outcome in found:
        if _FAILED in outcome:
            raise error_told(outcome[_FAILED])
    return found


def told_of(error: LockstepError) -> list[str]:
    """The error as JSON holds it."""
    kind = type(error)
    return [kind.__module__, kind.__qualname__, error.problem, error.next_step]


def error_told(told: list[str]) -> LockstepError:
    """The error of which `told_of` told, of its own class."""
    module, name, problem, next_step = told
    error: LockstepError = getattr(import_module(module), name)(problem, next_step=next_step)
    return error


def _batch(outcome: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({_COLUMN: [json.dumps(outcome)]})
