"""Which events the demo has scored: the first ones after each cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from lockstep.contract.scored_events import ScoredEvents
from lockstep.lake.facts import live_rows, scan_facts
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.parity.compare import CUT
from lockstep.windows.spec import EVENT_TIMESTAMP

_TIME = pl.Datetime("us", "UTC")
# Of all the time, as much is at its end for predictions.
_SHARE = 1 / 40
_HOUR = timedelta(hours=1)


def cuts_at_the_end(
    lake: Lake, events: ScoredEvents, count: int
) -> tuple[datetime, list[datetime]]:
    """The midnight before the first event, and so many instants, evenly spaced, near the last.

    Where T is after the event they are Ts: what was known of those events can be asked at once.
    """
    table = lake.table(events.table)
    days = table.days()
    first = datetime.combine(days[0], datetime.min.time(), UTC)
    end = _whole_minute(table.coverage_end() + _HOUR).replace(minute=0)
    distance = (end - first) * _SHARE / count
    cuts = [_whole_minute(end - (k + 1) * distance) for k in reversed(range(count))]
    return first, [_last_t(table, events, cut) for cut in cuts] if events.delay_us else cuts


def events_after(lake: Lake, events: ScoredEvents, cut: datetime, count: int) -> pl.DataFrame:
    """The first `count` events with a T after `cut`, in its order, with what a caller knows.

    Where T is after the event, those with a T at the cut are among them.
    """
    table = lake.table(events.table)
    live = live_rows(scan_facts(table), [events.row_id])
    t = pl.col(EVENT_TIMESTAMP)
    known = [events.row_id, *events.entity_keys, *events.request_columns]
    later = live.select(*known, events.t()).filter(t >= cut if events.delay_us else t > cut)
    asked = (
        later.sort(EVENT_TIMESTAMP, events.row_id)
        .head(count)
        .with_columns(t.to_physical().alias(events.time_column), pl.lit(cut, _TIME).alias(CUT))
    )
    return table.collect(asked)


def bodies(events: ScoredEvents, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The request bodies of `POST /v1/<use case>/predict`."""
    return [
        events.body(row) | {"event_timestamp": row[EVENT_TIMESTAMP].isoformat()}
        for row in rows.iter_rows(named=True)
    ]


def _last_t(table: LakeTable, events: ScoredEvents, until: datetime) -> datetime:
    """The last T that is not after `until`; `until` where there is none."""
    t = scan_facts(table).select(events.t()).filter(pl.col(EVENT_TIMESTAMP) <= until)
    last = table.collect(t.max()).item()
    return last if isinstance(last, datetime) else until


def _whole_minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
