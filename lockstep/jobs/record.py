"""What a table of steps knows of itself: its definition, its end, the rows behind each day.

    <table>/_table.json     definition, end, horizon, stale_until and the last receipt
    <table>/_days.parquet   what stands in each day, and hashes of the rows behind it

`_table.json` is written last: what stands at or after its end, it does not vouch for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from lockstep.jobs.arrivals import HOUR_US, Arrivals
from lockstep.jobs.interval import Interval
from lockstep.jobs.partitions import PartitionReceipt
from lockstep.lake.table import LakeTable
from lockstep.windows.microseconds import instant_at, microseconds
from lockstep.windows.spec import WindowSpec

_DAYS = "_days.parquet"
_EPOCH = date(1970, 1, 1)
_TICK = timedelta(microseconds=1)
_SCHEMA = {
    "day": pl.Date(),
    "rows": pl.Int64(),
    "bytes": pl.Int64(),
    "sha256": pl.String(),
    "hashes": pl.List(pl.UInt64),
}


@dataclass(frozen=True)
class TableRecord:
    """A table between two builds.

    Its steps are those that became final before `end`. Steps from there up to `stale_until`
    stand in the table too, but the source has changed since they were built. `hashes` are
    those of the source rows by the hour in which they became known (see `Arrivals`). `build`
    is the last receipt.
    """

    definition: Mapping[str, Any]
    end: datetime
    stale_until: datetime | None = None
    partitions: Mapping[date, PartitionReceipt] = field(default_factory=dict)
    hashes: Mapping[int, int] = field(default_factory=dict)
    build: Mapping[str, Any] = field(default_factory=dict)

    @property
    def horizon(self) -> datetime:
        """The table is exact for T before it; a snapshot at the end itself is built already."""
        return self.end + _TICK if self.definition["snapshots"] else self.end

    @property
    def content_hash(self) -> str:
        """SHA-256 over the days and the hashes of their partitions, oldest first."""
        lines = (f"{day} {part.sha256}\n" for day, part in sorted(self.partitions.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def stale_days(self) -> tuple[str, ...]:
        """The first and the last day to be built again; empty when there is none."""
        if self.stale_until is None:
            return ()
        return str(self.end.date()), str((self.stale_until - _TICK).date())

    def first_change(self, arrivals: Arrivals, interval: Interval) -> datetime | None:
        """The first hour of the interval in which other rows became known than were recorded.

        None when they are the same. An hour of which both know different parts is left out.
        """
        until = min(interval.end, self.end)
        if interval.end != self.end:
            until = until.replace(minute=0, second=0, microsecond=0)
        both = Interval(interval.start, until)
        differing = _within(self.hashes, both).items() ^ _within(arrivals.hashes, both).items()
        return instant_at(min(differing)[0] * HOUR_US) if differing else None

    def moved_back(self, end: datetime) -> TableRecord:
        """The record once only what comes before `end` is vouched for."""
        return replace(self, end=end, stale_until=max(self.stale_until or self.end, self.end))

    def built(
        self, interval: Interval, arrivals: Arrivals, partitions: Iterable[PartitionReceipt]
    ) -> TableRecord:
        """The record once the interval stands in the table, the end of which it reached."""
        days = {**self.partitions, **{part.day: part for part in partitions}}
        end = max(self.end, interval.end)
        stale = self.stale_until is not None and self.stale_until > end
        others = self.hashes.keys() - _within(self.hashes, interval).keys()
        return replace(
            self,
            end=end,
            stale_until=self.stale_until if stale else None,
            partitions={day: part for day, part in days.items() if part.rows},
            hashes={**{hour: self.hashes[hour] for hour in others}, **arrivals.hashes},
        )


def definition_of(spec: WindowSpec, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The spec and the types of the columns that it reads, as JSON holds them."""
    types = {name: str(schema[name]) for name in spec.source_columns}
    return dict(json.loads(json.dumps(asdict(spec) | {"source_types": types})))


def read_record(table: LakeTable) -> TableRecord | None:
    """What was recorded last; None if nothing was.

    Raises:
        LakeError: the record of the days is not parquet.
    """
    known = table.metadata()
    if "definition" not in known:
        return None
    exists = table.lake.exists(table.key(_DAYS))
    days = table.lake.read_parquet(table.key(_DAYS)) if exists else pl.DataFrame(schema=_SCHEMA)
    parts = (PartitionReceipt(**row) for row in days.drop("hashes").iter_rows(named=True))
    return TableRecord(
        definition=known["definition"],
        end=datetime.fromisoformat(known["end"]),
        stale_until=known["stale_until"] and datetime.fromisoformat(known["stale_until"]),
        partitions={part.day: part for part in parts if part.rows},
        hashes=_hashes(days),
        build=known["build"],
    )


def write_record(record: TableRecord, table: LakeTable) -> None:
    """Replaces what is recorded; the end comes last."""
    table.lake.write_parquet(table.key(_DAYS), _days(record))
    instants = {"end": record.end, "stale_until": record.stale_until, "horizon": record.horizon}
    table.write_metadata(
        {name: instant and instant.isoformat() for name, instant in instants.items()}
        | {"definition": record.definition, "build": record.build}
    )


def _days(record: TableRecord) -> pl.DataFrame:
    days = set(record.partitions) | {_EPOCH + timedelta(days=h // 24) for h in record.hashes}
    rows = []
    for day in sorted(days):
        first = (day - _EPOCH).days * 24
        part = record.partitions.get(day, PartitionReceipt(day))
        hashes = [record.hashes.get(hour) for hour in range(first, first + 24)]
        rows.append(asdict(part) | {"hashes": hashes})
    return pl.DataFrame(rows, schema=_SCHEMA)


def _hashes(days: pl.DataFrame) -> dict[int, int]:
    found: dict[int, int] = {}
    for day, hashes in days.select("day", "hashes").iter_rows():
        first = (day - _EPOCH).days * 24
        found |= {first + hour: value for hour, value in enumerate(hashes) if value is not None}
    return found


def _within(hashes: Mapping[int, int], interval: Interval) -> dict[int, int]:
    """Those of the hours that have an instant in the interval, which starts on a whole hour."""
    since = None if interval.start is None else microseconds(interval.start)
    until = microseconds(interval.end)
    return {
        hour: value
        for hour, value in hashes.items()
        if (since is None or hour * HOUR_US >= since) and hour * HOUR_US < until
    }
