"""The lake's rows once more as a live source, at their own pace or a multiple of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from lockstep.contract.record_schema import RecordSchema
from lockstep.lake.facts import live_rows, scan_facts
from lockstep.lake.lake import Lake
from lockstep.stream.codec import Codec
from lockstep.stream.port import Outgoing, Streams, partitions_of
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

_KNOWN = "_known"


@dataclass(frozen=True)
class ReplayClock:
    """A clock that stood at `start` when the machine's monotonic one stood at `origin` seconds.

    It runs `speed` times as fast. Whoever has the same three numbers, on the same machine, has
    the same time.
    """

    start: datetime
    speed: float
    origin: float

    @classmethod
    def starting(cls, start: datetime, speed: float) -> ReplayClock:
        """One that begins now."""
        return cls(start, speed, time.monotonic())

    def now(self) -> datetime:
        """The time; UTC, microseconds."""
        return self.start + timedelta(seconds=self.speed * (time.monotonic() - self.origin))


@dataclass(frozen=True)
class Source:
    """Rows of one schema in the order in which they became known, for one topic."""

    schema: RecordSchema
    topic: str
    partitions: int
    rows: pl.DataFrame

    @classmethod
    def of(
        cls,
        lake: Lake,
        schema: RecordSchema,
        topic: str,
        partitions: int,
        *,
        start: datetime,
        end: datetime,
    ) -> Source:
        """What became known in [start, end), by event time and created time.

        Raises:
            LakeError: the table is not in the lake.
        """
        known = pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP).alias(_KNOWN)
        table = lake.table(schema.table)
        rows = live_rows(scan_facts(table), [schema.row_id]).with_columns(known)
        chosen = rows.filter(pl.col(_KNOWN) >= start, pl.col(_KNOWN) < end)
        held = table.collect(chosen.select(*schema.names, _KNOWN).sort(_KNOWN, schema.row_id))
        return cls(schema, topic, partitions, held)

    def until(self, after: int, now: datetime) -> tuple[int, Outgoing]:
        """The rows from place `after` on that are known before `now`, and the place behind them."""
        stop = int(self.rows.get_column(_KNOWN).search_sorted(now, side="left"))
        part = self.rows[after : max(after, stop)]
        places = partitions_of(part.get_column(self.schema.key), self.partitions).tolist()
        return max(after, stop), Outgoing(self.topic, places, Codec(self.schema).encode(part))


@dataclass(frozen=True)
class Sent:
    """How far a replay is: the clock's time, and the rows of each topic that are sent."""

    now: datetime
    rows: Mapping[str, int]


def replay(
    streams: Streams,
    sources: list[Source],
    now: Callable[[], datetime],
    *,
    every_seconds: float = 0.02,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Sent]:
    """Sends rows as they become known by the clock, and tells after each time; ends with them.

    A source that falls behind sends what is due at once: none is left out.

    Raises:
        StreamError: the stream cannot be reached.
    """
    places = dict.fromkeys(range(len(sources)), 0)
    while any(place < sources[n].rows.height for n, place in places.items()):
        at = now()
        due = []
        for n, source in enumerate(sources):
            places[n], outgoing = source.until(places[n], at)
            if outgoing.payloads:
                due.append(outgoing)
        streams.send(due)
        yield Sent(at, {source.topic: places[n] for n, source in enumerate(sources)})
        sleep(every_seconds)
