"""A lake with twenty times the handbook's transactions: twenty towns of its size."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from lockstep.jobs.generate.fraud import Options, generate
from lockstep.lake.lake import Lake

TOWNS = range(20)
TOWN = Options(customers=5_000, terminals=10_000, days=183)
# More than the transactions of any town: ids of towns do not meet.
_IDS = 10_000_000
_LABEL_DELAY = timedelta(days=7)


def write_towns(lake: Lake, towns: Sequence[int]) -> int:
    """Writes transactions and verdicts as an ingest would; returns how many there are of each."""
    by_day: defaultdict[date, list[pl.DataFrame]] = defaultdict(list)
    for town in towns:
        sys.stderr.write(f"  generating town {town + 1} of {towns[-1] + 1}\n")
        for day, rows in _transactions(town):
            by_day[day].append(rows)
    written = 0
    for day in sorted(by_day):
        rows = pl.concat(by_day.pop(day)).sort("event_timestamp", "transaction_id")
        lake.table("fraud/transactions").write_day(day, rows.drop("fraud"))
        verdicts = rows.drop("amount_cents").with_columns(
            pl.col("event_timestamp", "created_timestamp") + _LABEL_DELAY
        )
        lake.table("fraud/verdicts").write_day(day + _LABEL_DELAY, verdicts)
        written += rows.height
    return written


def _transactions(town: int) -> Iterator[tuple[date, pl.DataFrame]]:
    """One town's transactions by day, with the label that its verdicts carry."""
    event = pl.col("TX_DATETIME").dt.replace_time_zone("UTC")
    rows = generate(replace(TOWN, seed=town)).select(
        transaction_id=pl.col("TRANSACTION_ID") + town * _IDS,
        event_timestamp=event,
        created_timestamp=event,
        customer_id=pl.col("CUSTOMER_ID") + town * TOWN.customers,
        terminal_id=pl.col("TERMINAL_ID") + town * TOWN.terminals,
        amount_cents=(pl.col("TX_AMOUNT") * 100).round().cast(pl.Int64),
        fraud="TX_FRAUD",
        day="TX_TIME_DAYS",
    )
    for (number,), part in rows.partition_by("day", as_dict=True, include_key=False).items():
        yield TOWN.start + timedelta(days=number), part
