"""Ad clicks and what became of them, from files in TalkingData's columns.

A click is known when it happens. Whether the app was then downloaded is known when that is
attributed, or, where it never is, when the attribution window has closed. So one file becomes
two tables, and the label never stands beside the click: every click gets one attribution row,
stamped with that instant. Clicks have no id in the file; see `lockstep.jobs.ingest.identity`.
"""

from __future__ import annotations

import polars as pl

from lockstep.jobs.ingest.column import ARRIVAL, YEAR_2100_US, Column
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.spec import IngestSpec, OutputTable

# Of the 227 attributions in TalkingData's sample one came later, after 12 h 52 min.
DEFAULT_WINDOW_HOURS = 12
MAX_WINDOW_HOURS = 8_760

KEYS = ("ip", "app", "device", "os", "channel")
COLUMNS = (
    # The published sample's header begins so.
    Column("ip", "integer", aliases=("..ip",)),
    *(Column(key, "integer") for key in KEYS[1:]),
    Column("click_time", "timestamp", maximum=YEAR_2100_US - 1),
    Column("attributed_time", "timestamp", maximum=YEAR_2100_US - 1, nullable=True),
    Column("is_attributed", "integer", maximum=1),
    *ARRIVAL,
)

_HOUR_US = 3_600_000_000


def ingest_spec(*, attribution_window_hours: int = DEFAULT_WINDOW_HOURS) -> IngestSpec:
    """How clicks are ingested; one that nothing came of is known so after the window.

    Attributions are written first: a click that is in the lake has its attribution there.

    Raises:
        IngestError: the window is shorter than an hour or longer than a year.
    """
    if not 1 <= attribution_window_hours <= MAX_WINDOW_HOURS:
        expected = f"1 to {MAX_WINDOW_HOURS:,} hours"
        raise IngestError.out_of_range(
            "attribution-window-hours", attribution_window_hours, expected
        )
    window_us = attribution_window_hours * _HOUR_US
    return IngestSpec(
        use_case="clicks",
        columns=COLUMNS,
        headerless=tuple(c.name for c in COLUMNS if c not in ARRIVAL),
        key=("click_id",),
        identity=(*KEYS, "click_time"),
        event_time="click_time",
        tables=(
            OutputTable(
                "clicks/attributions", lambda rows: attributions(rows, window_us=window_us)
            ),
            OutputTable("clicks/clicks", clicks),
        ),
        rejected="clicks/clicks_rejected",
        never_below=(("attributed_time", "click_time"),),
        given_where=(("attributed_time", "is_attributed"),),
    )


def clicks(rows: pl.DataFrame) -> pl.DataFrame:
    """What was known when each click happened; no labels."""
    return rows.select(
        "click_id",
        _instant(pl.col("click_time")).alias("event_timestamp"),
        _instant(pl.col("created_timestamp")),
        *KEYS,
    )


def attributions(rows: pl.DataFrame, *, window_us: int) -> pl.DataFrame:
    """What became known of each click: at its attribution, else when the window closed.

    An attribution after the window counts when it came. `window_end_timestamp` is when the
    verdict was due: a click may be trained on from then on only, since before it just those
    that were attributed have a verdict.
    """
    due = pl.col("click_time") + window_us
    return rows.select(
        "click_id",
        _instant(pl.coalesce("attributed_time", due)).alias("event_timestamp"),
        _instant(pl.col("created_timestamp")),
        *KEYS,
        _instant(pl.col("click_time")).alias("click_timestamp"),
        _instant(due).alias("window_end_timestamp"),
        pl.col("is_attributed").alias("attributed"),
    )


def _instant(microseconds: pl.Expr) -> pl.Expr:
    return microseconds.cast(pl.Datetime("us", "UTC"))
