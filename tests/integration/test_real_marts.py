"""The daily marts over the real transactions against SQL over the raw events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.windows.fraud_daily import (
    CUSTOMER_DAILY,
    CUSTOMER_VERDICTS_DAILY,
    TERMINAL_DAILY,
    TERMINAL_VERDICTS_DAILY,
)
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import steps

pytestmark = pytest.mark.realdata

END = datetime(2018, 10, 9, tzinfo=UTC)
MIDNIGHTS = [datetime(2018, *day, tzinfo=UTC) for day in ((4, 9), (5, 2), (7, 31), (10, 1))]
DELAY = timedelta(days=7)

# Columns of both kinds of marts, in SQL over the rows of one window.
PAYMENTS = {
    "tx_count": "count(*)",
    "tx_active_days": "count(distinct event // 86400000000)",
    "{other}_distinct": "count(distinct {other}_id)",
    "amount_cents_sum": "sum(amount_cents)::bigint",
    "amount_cents_min": "min(amount_cents)",
    "amount_cents_max": "max(amount_cents)",
    "amount_cents_median": "median(amount_cents)",
    "tx_last_event_time": "max(event)",
    "amount_cents_per_active_day": "sum(amount_cents) / count(distinct event // 86400000000)",
    "tx_per_active_day": "count(*) / count(distinct event // 86400000000)",
}
VERDICTS = {
    "verdict_count": "count(*)",
    "fraud_count": "count(*) filter (fraud = 1)",
    "fraud_share": "count(*) filter (fraud = 1) / count(*)",
    "bad_day_share": "count(distinct event // 86400000000) filter (fraud = 1) "
    "/ count(distinct event // 86400000000)",
}


def in_sql(events: pl.DataFrame, spec: WindowSpec, columns: dict[str, str]) -> pl.DataFrame:
    """One row an entity and midnight whose 30 days hold anything; t in (s - w, s)."""
    key = spec.entity_keys[0]
    other = "terminal" if key == "customer_id" else "customer"
    names = {name.format(other=other): sql.format(other=other) for name, sql in columns.items()}
    raw = events.with_columns(event=pl.col("event_timestamp").to_physical())
    tables = []
    with duckdb.connect() as database:
        database.register("raw_", raw.drop("event_timestamp", "created_timestamp").to_arrow())
        for s in MIDNIGHTS:
            us = int(s.timestamp()) * 1_000_000
            table = None
            for days in (30, 7):
                select = ", ".join(
                    f"{sql} as {spec.entity}_{name}_{days}d" for name, sql in names.items()
                )
                found = database.sql(
                    f"select {key}, {select} from raw_ where event < {us} "
                    f"and event > {us} - {days} * 86400000000 group by {key}"
                )
                window = pl.DataFrame(found.to_arrow_table())
                table = window if table is None else table.join(window, on=key, how="left")
            assert table is not None
            tables.append(table.with_columns(event_timestamp=pl.lit(s).dt.cast_time_unit("us")))
    zeros = [f for f, kind in spec.features().items() if kind == "int64" and not _nullable(f)]
    return (
        pl.concat(tables)
        .with_columns(pl.col(zeros).fill_null(0))
        .select(key, "event_timestamp", *spec.features())
        .sort(key, "event_timestamp")
    )


def _nullable(feature: str) -> bool:
    return any(f"_{name}_" in feature for name in ("min", "max", "last_event_time"))


@pytest.mark.parametrize(
    ("spec", "columns", "delay"),
    [
        (CUSTOMER_DAILY, PAYMENTS, timedelta(0)),
        (TERMINAL_DAILY, PAYMENTS, timedelta(0)),
        (CUSTOMER_VERDICTS_DAILY, VERDICTS, DELAY),
        (TERMINAL_VERDICTS_DAILY, VERDICTS, DELAY),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_mart_is_what_sql_over_the_raw_events_says(
    real_transactions: pl.DataFrame, spec: WindowSpec, columns: dict[str, str], delay: timedelta
) -> None:
    known = pl.col("event_timestamp") + delay
    events = real_transactions.with_columns(event_timestamp=known, created_timestamp=known)
    table = steps(events, spec, end=END)
    key = spec.entity_keys[0]
    counted = next(iter(spec.features())).replace("_7d", "_30d")
    ours = table.filter(pl.col("event_timestamp").is_in(MIDNIGHTS), pl.col(counted) > 0).select(
        key, "event_timestamp", *spec.features()
    )
    theirs = in_sql(events, spec, columns)
    assert ours.height > 10_000
    assert_frame_equal(ours.sort(key, "event_timestamp"), theirs, check_exact=True)
