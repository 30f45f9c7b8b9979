"""Builds of step tables: in what order things are read, written and vouched for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from lockstep.contract.clock import Clock
from lockstep.jobs.engine import Engine, Progress
from lockstep.jobs.errors import BuildError
from lockstep.jobs.local import LocalEngine
from lockstep.jobs.plan import BuildPlan, plan_build
from lockstep.jobs.receipt import BuildReceipt
from lockstep.jobs.table_build import TableBuild
from lockstep.lake.lake import Lake
from lockstep.windows.spec import WindowSpec


def build(
    lake: Lake,
    specs: Sequence[WindowSpec],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    cascade: bool = False,
    clock: Clock,
    progress: Progress,
    engine: Callable[[BuildPlan], Engine] = LocalEngine,
) -> list[BuildReceipt]:
    """Builds what became final in [start, end) of each spec's table.

    `end` says that every row that became known before it is in the lake: the tables are
    exact for T < end. The default is just after the source's newest event, and never later
    than now: what is scheduled to become known later is not known. Without a `start` the
    tables are built whole, from the first event on, and replaced. With one they are built
    on: the interval's steps replace those in the day partitions that it touches.

    Where other rows became known in the interval than the table was built on, its later
    days are stale: its horizon moves back to the interval's end, and they are to be built
    again, which `cascade` does at once.

    All sources are checked before the first table is touched, their values before the
    piece that they belong to. The horizon moves last: a build that was interrupted is
    completed by the same build.

    Raises:
        LakeError: a source has no rows or cannot be read.
        BuildError: `end` is in the future; there is nothing to build; `start` is after the
            table's end, or the table is not what was declared or what its source was.
        EventsError: a source's rows are not what its spec declares.
    """
    now = clock.now()
    _check_instants(start, end, now)
    plans = [plan_build(lake, spec, start=start, end=end, now=now) for spec in specs]
    return [
        TableBuild(plan, engine(plan), progress).run(cascade=cascade, began=now) for plan in plans
    ]


def _check_instants(start: datetime | None, end: datetime | None, now: datetime) -> None:
    if end is not None and end > now:
        raise BuildError.future_end(end, now)
    for option, instant in (("--start", start), ("--end", end)):
        if instant and (instant.minute or instant.second or instant.microsecond):
            raise BuildError.not_an_hour(option, instant)
