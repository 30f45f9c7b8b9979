"""The built windows, joined at every real transaction, against SQL over the raw events."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import polars as pl
import pytest

from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.stores.asof import join_as_of
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import steps

pytestmark = pytest.mark.realdata

DAYS = (1, 7, 30)
DELAY = pl.duration(days=7)
END = datetime(2018, 10, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def transactions(real_transactions: pl.DataFrame) -> pl.DataFrame:
    """Numbered, so that two engines' answers can be put side by side."""
    return real_transactions.with_columns(row=pl.int_range(pl.len()))


def known_after(rows: pl.DataFrame, delay: pl.Expr | None = None) -> pl.DataFrame:
    event = pl.col("event_timestamp") + delay if delay is not None else pl.col("event_timestamp")
    return rows.with_columns(event_timestamp=event, created_timestamp=event)


def joined(transactions: pl.DataFrame, events: pl.DataFrame, spec: WindowSpec) -> pl.DataFrame:
    """Ours: build, then join point-in-time at every transaction."""
    table = steps(events, spec, end=END)
    keys = spec.entity_keys
    return join_as_of(transactions.select(*keys, "event_timestamp"), table, keys=keys)


def in_sql(
    probes: pl.DataFrame, events: pl.DataFrame, spec: WindowSpec, value: str, *, oldest: str
) -> pl.DataFrame:
    """Theirs: range frames over probes and raw events together, one row a probe.

    `oldest` is how far before T a frame begins, as a SQL interval on top of the window.
    """
    key = spec.entity_keys[0]
    both = pl.concat(
        [
            probes.select("row", key, "event_timestamp", pl.lit(None, pl.Int64).alias("value")),
            events.select(pl.lit(None, pl.Int64).alias("row"), key, "event_timestamp", value=value),
        ]
    ).with_columns(pl.col("event_timestamp").to_physical())
    frames = ", ".join(
        f"w{d} as (partition by {key} order by event_timestamp range between "
        f"{d * 86_400_000_000} - ({oldest}) preceding and 1 preceding)"
        for d in DAYS
    )
    columns = ", ".join(
        f"count(value) over w{d} as count_{d}, coalesce(sum(value) over w{d}, 0)::bigint "
        f"as sum_{d}, avg(value) over w{d} as mean_{d}"
        for d in DAYS
    )
    with duckdb.connect() as database:
        database.register("both_", both.to_arrow())
        query = f"select row, {columns} from both_ window {frames} qualify row is not null"
        return pl.DataFrame(database.sql(query).to_arrow_table()).sort("row")


def differing_rows(ours: pl.DataFrame, theirs: pl.DataFrame, spec: WindowSpec) -> pl.Series:
    """Which rows have any feature that differs in a bit; never seen counts as zero."""
    differs = pl.Series([False] * len(ours))
    for aggregation, name in zip(spec.aggregations, ("count", "sum", "mean"), strict=True):
        for days, window in zip(DAYS, spec.windows, strict=True):
            mine = ours[spec.feature(aggregation, window)]
            mine = mine if name == "mean" else mine.fill_null(0)
            differs = differs | mine.ne_missing(theirs[f"{name}_{days}"])
    return differs


@pytest.mark.parametrize(
    ("spec", "value", "delay"),
    [(CUSTOMER_WINDOWS, "amount_cents", None), (TERMINAL_WINDOWS, "fraud", DELAY)],
    ids=["customers", "terminals"],
)
def test_every_real_transaction_sees_what_sql_over_raw_events_sees(
    transactions: pl.DataFrame, spec: WindowSpec, value: str, delay: pl.Expr | None
) -> None:
    events = known_after(transactions, delay)
    ours = joined(transactions, events, spec)
    assert ours.height == transactions.height == 1_754_155

    strict = in_sql(transactions, events, spec, value, oldest="1")
    assert differing_rows(ours, strict, spec).sum() == 0

    # A frame that includes T - w differs exactly where an event stands on that edge.
    closed = in_sql(transactions, events, spec, value, oldest="0")
    differs = differing_rows(ours, closed, spec)
    on_edge = pl.Series([False] * len(ours))
    key = spec.entity_keys[0]
    there = events.select(key, pl.col("event_timestamp").alias("edge")).unique()
    for days in DAYS:
        probes = transactions.select(
            "row", key, edge=pl.col("event_timestamp") - pl.duration(days=days)
        )
        hits = probes.join(there, on=[key, "edge"], how="semi")["row"]
        on_edge = on_edge | transactions["row"].is_in(hits.implode())
    assert 0 < differs.sum() < 1_000
    assert (differs & ~on_edge).sum() == 0
