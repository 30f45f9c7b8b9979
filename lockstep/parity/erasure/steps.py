"""Window tables over rows of which some are gone: built again, whole, from what is left.

Each of the entity's rows is in the windows of everything that it has to do with: a payment of a
customer is in those of the terminal. So all tables of the changed sources are built, up to the
same end as before, and are what a first build from the rows that are left would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lockstep.contract.clock import Clock
from lockstep.jobs.engine import Progress
from lockstep.jobs.local import LocalEngine
from lockstep.jobs.plan import plan_build
from lockstep.jobs.record import read_record
from lockstep.jobs.table_build import TableBuild
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.parquet_rows import ParquetRows
from lockstep.parity.erasure.place import Found
from lockstep.windows.spec import EVENT_TIMESTAMP, WindowSpec

_RECEIPTS = "_receipts/"


@dataclass(frozen=True)
class StepTables:
    """The window tables of a use case, and the rows that they keep to be built on."""

    lake: Lake
    entity: ErasedEntity
    specs: Sequence[WindowSpec]
    clock: Clock
    progress: Progress
    name: str = "window tables and their kept rows"

    def find(self) -> Found:
        """The entity's own steps, and its rows in what the tables keep for the next build."""
        return ParquetRows(self.name, self.lake, self.objects, self.entity.rows()).find()

    def erase(self) -> None:
        for spec in self.specs:
            rebuild(self.lake, spec, self.clock, self.progress)

    def objects(self) -> list[str]:
        """The parquet objects of all the tables."""
        tables = [self.lake.table(spec.table) for spec in self.specs]
        return [key for table in tables for key in step_objects(table)]


def step_objects(table: LakeTable) -> list[str]:
    """The parquet objects of a window table: steps, days, and rows kept for the next build."""
    return [key for key in table.lake.list(table.key("")) if key.endswith(".parquet")]


def rebuild(lake: Lake, spec: WindowSpec, clock: Clock, progress: Progress) -> None:
    """Builds the spec's table again, up to the end that it had.

    One that was never built stays so. Where no row is left before its end it is emptied.

    Raises:
        LakeError, BuildError, EventsError: as a build.
    """
    table = lake.table(spec.table)
    record = read_record(table)
    if record is None:
        return
    if not _has_rows(lake.table(spec.source), record.end):
        lake.delete(k for k in lake.list(table.key("")) if not k.startswith(table.key(_RECEIPTS)))
        return
    now = clock.now()
    plan = plan_build(lake, spec, start=None, end=record.end, now=now)
    TableBuild(plan, LocalEngine(plan), progress).run(cascade=False, began=now)


def _has_rows(source: LakeTable, end: datetime) -> bool:
    days = source.days()
    if not days:
        return False
    events = source.scan(days).select(pl.col(EVENT_TIMESTAMP).min())
    first = source.collect(events).item()
    return first is not None and first < end
