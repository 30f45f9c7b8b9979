"""Builds of step tables on Spark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from lockstep.contract.clock import Clock
from lockstep.jobs.build import build
from lockstep.jobs.engine import Progress
from lockstep.jobs.receipt import BuildReceipt
from lockstep.jobs.spark.engine import SparkEngine
from lockstep.lake.lake import Lake
from lockstep.lake.spark.session import spark_session
from lockstep.windows.spec import WindowSpec


def build_with_spark(
    lake: Lake,
    specs: Sequence[WindowSpec],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    cascade: bool = False,
    clock: Clock,
    progress: Progress,
) -> list[BuildReceipt]:
    """Builds the same tables as `lockstep.jobs.build.build`, byte for byte, on Spark.

    Raises:
        SparkError: Spark cannot be started, or fails where no row is to blame.
        LockstepError: as the local build.
    """
    spark = spark_session("lockstep build", lake=lake)
    return build(
        lake,
        specs,
        start=start,
        end=end,
        cascade=cascade,
        clock=clock,
        progress=progress,
        engine=partial(SparkEngine, spark=spark),
    )
