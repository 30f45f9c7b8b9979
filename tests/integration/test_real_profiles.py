"""The profiles of cards and terminals at real transactions, against SQL over the raw events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.windows.fraud_profile import CUSTOMER_PROFILE, TERMINAL_PROFILE
from lockstep.stores.asof import join_as_of
from lockstep.windows.spec import WindowSpec
from lockstep.windows.steps import steps

pytestmark = pytest.mark.realdata

END = datetime(2018, 10, 9, tzinfo=UTC)
# One key in so many is looked at.
SHARE = 40

# Each feature in SQL over the events `e` of one window; `event` is in microseconds.
COLUMNS = {
    "amount_cents_mean": "avg(amount_cents)",
    "amount_cents_std": "stddev_samp(amount_cents)",
    "amount_cents_median": "median(amount_cents)",
    "amount_cents_max": "max(amount_cents)",
    "fraud_sum": "coalesce(sum(fraud), 0)::bigint",
    "fraud_rate": "avg(fraud)",
    # Of two verdicts of one instant the larger value counts.
    "fraud_last": "arg_max(fraud, 2 * e.event + fraud)",
    "verdict_last_event_time": "max(e.event)",
}


def in_sql(probes: pl.DataFrame, events: pl.DataFrame, spec: WindowSpec) -> pl.DataFrame:
    """Every probe's features over the events with t < T < t + w, in the order of the probes."""
    (key,) = spec.entity_keys
    found = probes.select("row")
    with duckdb.connect() as database:
        for name, frame in (
            ("probes", probes.select("row", key, "event_timestamp")),
            ("events", events),
        ):
            physical = frame.with_columns(event=pl.col("event_timestamp").to_physical())
            database.register(name, physical.drop("event_timestamp").to_arrow())
        for window, length in zip(spec.windows, spec.lengths_us, strict=True):
            select = ", ".join(
                f"{COLUMNS[f'{a.noun}_{a.function}']} as {spec.feature(a, window)}"
                for a in spec.aggregations
            )
            rows = database.sql(
                f"select p.row, {select} from probes p "
                f"left join events e on p.{key} = e.{key} and e.event < p.event "
                f"and p.event < e.event + {length} group by p.row"
            )
            found = found.join(pl.DataFrame(rows.to_arrow_table()), on="row", how="left")
    return found.sort("row").select(*spec.features())


@pytest.mark.parametrize(
    ("spec", "delay"),
    [(CUSTOMER_PROFILE, timedelta(0)), (TERMINAL_PROFILE, timedelta(days=7))],
    ids=["customers", "terminals"],
)
def test_a_profile_is_what_sql_over_the_raw_events_says(
    real_transactions: pl.DataFrame, spec: WindowSpec, delay: timedelta
) -> None:
    (key,) = spec.entity_keys
    probes = real_transactions.filter(pl.col(key) % SHARE == 0).with_row_index("row")
    known = pl.col("event_timestamp") + delay
    events = probes.with_columns(event_timestamp=known, created_timestamp=known)
    table = steps(events, spec, end=END)
    ours = join_as_of(probes.select(key, "event_timestamp"), table, keys=spec.entity_keys)
    # Where nothing was ever known there is no step, and no frauds in SQL.
    sums = [name for name in spec.features() if "_sum_" in name]
    ours = ours.select(*spec.features()).with_columns(pl.col(sums).fill_null(0))
    assert ours.height > 20_000
    # The standard deviation is another formula there.
    assert_frame_equal(ours, in_sql(probes, events, spec), rel_tol=1e-9, abs_tol=1e-6)
