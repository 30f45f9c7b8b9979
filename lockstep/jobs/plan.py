"""What a build of one table is to do, checked as far as nothing needs to be read for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lockstep.jobs.errors import BuildError
from lockstep.jobs.inputs import Inputs
from lockstep.jobs.interval import Interval, midnight_of
from lockstep.jobs.record import TableRecord, definition_of, read_record
from lockstep.jobs.source import open_source
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import WindowSpec


@dataclass(frozen=True)
class BuildPlan:
    """One build of one table.

    `record` is what the table says of itself, None if it has to be built whole. `days` are
    the partitions that it has. A plan without a start builds it whole.
    """

    table: LakeTable
    inputs: Inputs
    interval: Interval
    definition: Mapping[str, Any]
    record: TableRecord | None
    days: frozenset[date]

    @property
    def spec(self) -> WindowSpec:
        """What is built."""
        return self.inputs.spec

    @property
    def is_whole(self) -> bool:
        """Whether the table is replaced, and not a part of it."""
        return self.interval.start is None

    def bounds(self, piece: Interval) -> tuple[datetime | None, datetime | None]:
        """Between which instants the piece's steps replace those of a day that it touches.

        Pieces of a whole build share no day, and nothing that stands in theirs stays.
        """
        return (None, None) if self.is_whole else (piece.start, piece.end)

    def days_of(self, piece: Interval) -> list[date]:
        """The partitions that the piece replaces, if only by nothing; oldest first."""
        behind = self.is_whole and piece.end == self.interval.end
        return sorted(
            day
            for day in self.days
            if piece.touches(day) or (behind and midnight_of(day) >= piece.end)
        )


def plan_build(
    lake: Lake, spec: WindowSpec, *, start: datetime | None, end: datetime | None, now: datetime
) -> BuildPlan:
    """The build of [start, end) of the spec's table.

    The default end is that of the source, or of the table where that is later.

    Raises:
        LakeError: the source has no partitions, or one that is not parquet or not as others.
        EventsError: the source's columns, types or nulls are not what `spec` declares.
        BuildError: see `build`.
    """
    inputs = open_source(lake, spec)
    table = lake.table(spec.table)
    definition = definition_of(spec, inputs.schema)
    record = read_record(table)
    if start is not None:
        _require_start(start, table, record, definition)
    elif record is not None and record.definition != definition:
        record = None
    end = end or _default_end(inputs, now, record if start else None)
    if start is None:
        _require_events(inputs, end)
    elif end <= start:
        raise BuildError.empty_interval(start, end)
    days = frozenset(table.days())
    if start is not None and record is not None:
        _require_cut_days(table, record, days, start, end)
    return BuildPlan(
        table=table,
        inputs=inputs,
        interval=Interval(start, end),
        definition=definition,
        record=record,
        days=days,
    )


def _require_start(
    start: datetime, table: LakeTable, record: TableRecord | None, definition: Mapping[str, Any]
) -> None:
    if record is None:
        raise BuildError.never_built(table.name)
    if record.definition != definition:
        both = {*record.definition, *definition}
        differing = [n for n in sorted(both) if record.definition.get(n) != definition.get(n)]
        raise BuildError.other_definition(table.name, differing)
    if start > record.end:
        raise BuildError.gap(table.name, start, record.end)


def _default_end(inputs: Inputs, now: datetime, record: TableRecord | None) -> datetime:
    """Just after the newest event, and not before what the table has already been built to."""
    end = min(inputs.table.coverage_end(), now)
    return end if record is None else max(end, record.end)


def _require_cut_days(
    table: LakeTable,
    record: TableRecord,
    days: Collection[date],
    start: datetime,
    end: datetime,
) -> None:
    """A day of which a part stays must be there, if the table ever had steps in it."""
    for bound in (start, end):
        day = bound.date()
        cut = midnight_of(day) < bound < record.end
        if cut and day in record.partitions and day not in days:
            raise BuildError.lost_day(table.name, day)


def _require_events(inputs: Inputs, end: datetime) -> None:
    if not any(footer.rows and footer.oldest_event < end for footer in inputs.footers):
        days = [footer.day for footer in inputs.footers]
        raise BuildError.no_events(inputs.table.name, end, days)
