"""Which events the demo has scored: the first ones after each cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from lockstep.contract.scored_events import ScoredEvents
from lockstep.lake.facts import live_rows, scan_facts
from lockstep.lake.lake import Lake
from lockstep.parity.compare import CUT
from lockstep.windows.spec import EVENT_TIMESTAMP

_TIME = pl.Datetime("us", "UTC")
# Of all the time, as much is at its end for predictions.
_SHARE = 1 / 40
_HOUR = timedelta(hours=1)


def cuts_at_the_end(
    lake: Lake, events: ScoredEvents, count: int
) -> tuple[datetime, list[datetime]]:
    """The midnight before the first event, and so many instants, evenly spaced, near the last."""
    table = lake.table(events.table)
    days = table.days()
    first = datetime.combine(days[0], datetime.min.time(), UTC)
    end = _whole_minute(table.coverage_end() + _HOUR).replace(minute=0)
    distance = (end - first) * _SHARE / count
    return first, [_whole_minute(end - (k + 1) * distance) for k in reversed(range(count))]


def events_after(lake: Lake, events: ScoredEvents, cut: datetime, count: int) -> pl.DataFrame:
    """The first `count` events after `cut`, in time order, with what a caller knows."""
    table = lake.table(events.table)
    live = live_rows(scan_facts(table), [events.row_id])
    time = pl.col(EVENT_TIMESTAMP)
    later = live.filter(time > cut).sort(EVENT_TIMESTAMP, events.row_id).head(count)
    known = (events.row_id, *events.entity_keys, EVENT_TIMESTAMP, *events.request_columns)
    asked = later.select(*known).with_columns(
        time.to_physical().alias(events.time_column), pl.lit(cut, _TIME).alias(CUT)
    )
    return table.collect(asked)


def bodies(events: ScoredEvents, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The request bodies of `POST /v1/<use case>/predict`."""
    known = (*events.entity_keys, *events.request_columns)
    return [
        {
            **{name: row[name] for name in known},
            "event_timestamp": row[EVENT_TIMESTAMP].isoformat(),
        }
        for row in rows.iter_rows(named=True)
    ]


def _whole_minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
