"""Labelled rows made by hand: one positive in four, labels known after a delay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

START = datetime(2018, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
_MICROSECONDS = pl.Datetime("us", "UTC")


def labelled_rows(
    *, days: int, a_day: int = 8, delay: timedelta = 7 * DAY, positive_every: int = 4
) -> pl.DataFrame:
    """Rows spread evenly over `days` from START, in time order."""
    total = days * a_day
    times = [START + DAY * index / a_day for index in range(total)]
    return pl.DataFrame(
        {
            "transaction_id": range(total),
            "event_timestamp": times,
            "label": [int(index % positive_every == 0) for index in range(total)],
            "label_known_at": [time + delay for time in times],
        },
        schema_overrides={"event_timestamp": _MICROSECONDS, "label_known_at": _MICROSECONDS},
    )
