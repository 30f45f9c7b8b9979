"""Which transactions the demo has scored: the first ones after each cut."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from lockstep.lake.facts import live_rows, scan_facts
from lockstep.lake.lake import Lake
from lockstep.windows.spec import EVENT_TIMESTAMP

KEYS = ("customer_id", "terminal_id")


def transactions_after(lake: Lake, cut: datetime, count: int) -> pl.DataFrame:
    """The first `count` transactions after `cut`, in time order, with what a caller knows."""
    table = lake.table("fraud/transactions")
    live = live_rows(scan_facts(table), ["transaction_id"])
    later = live.filter(pl.col(EVENT_TIMESTAMP) > cut)
    time = pl.col(EVENT_TIMESTAMP)
    return table.collect(
        later.sort(EVENT_TIMESTAMP, "transaction_id")
        .head(count)
        .select("transaction_id", *KEYS, EVENT_TIMESTAMP, "amount_cents")
        .with_columns(transaction_time_us=time.to_physical(), cut=pl.lit(cut, time_type()))
    )


def time_type() -> pl.Datetime:
    """The type of every time in the lake."""
    return pl.Datetime("us", "UTC")


def bodies(transactions: pl.DataFrame) -> list[dict[str, Any]]:
    """The request bodies of `POST /v1/fraud/predict`."""
    return [
        {
            **{key: row[key] for key in KEYS},
            "amount_cents": row["amount_cents"],
            "event_timestamp": row[EVENT_TIMESTAMP].isoformat(),
        }
        for row in transactions.iter_rows(named=True)
    ]
