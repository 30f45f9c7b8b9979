"""Tables that a build left are valid, and every fault that is planted in one is named."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from source_histories import HOUR, HOURS, SPECS, T0, Row, built, histories, write_source

from lockstep.jobs.arrivals import HOUR_US
from lockstep.jobs.errors import TableError
from lockstep.jobs.validate import ValidTable, validate
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import Aggregation, WindowSpec

END = HOURS + 60
SPEC = WindowSpec(
    "card_windows",
    source="bank/payments",
    entity="card",
    entity_keys=("card_id",),
    windows=("1h", "1d"),
    aggregations=(
        Aggregation("count", what="payment"),
        Aggregation("rate", "fraud"),
        Aggregation("max", "cents"),
        Aggregation("min", "cents"),
        Aggregation("std", "cents"),
    ),
)
DAY = T0.replace(hour=0)


def found(lake: Lake, spec: WindowSpec, end: datetime) -> ValidTable:
    (table,) = validate(lake, [spec], end=end)
    return table


@settings(max_examples=30)
@given(histories(), st.sampled_from(SPECS), st.integers(1, END))
def test_what_a_build_leaves_is_valid_whatever_the_history(
    rows: list[Row], spec: WindowSpec, cut: int
) -> None:
    assume(min(row.event for row in rows) < cut * HOUR_US)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        write_source(lake, rows)
        built(lake, spec, end=cut)
        horizon = found(lake, spec, T0 + cut * HOUR).horizon
        assert horizon == lake.table(spec.table).horizon()
        if cut < END:
            built(lake, spec, start=cut, end=END)
            found(lake, spec, T0 + END * HOUR)


@pytest.fixture
def table(local_lake: Lake) -> LakeTable:
    """Two days of payments of two cards, built."""
    times = [DAY + timedelta(hours=hour) for hour in (1, 1.5, 3, 26, 26.25)]
    payments = pl.DataFrame(
        {
            "payment_id": range(5),
            "card_id": [1, 1, 2, 1, 2],
            "event_timestamp": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            "created_timestamp": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            "cents": [100, 300, 50, 70, 20],
            "fraud": [0, 1, 0, 0, 1],
        }
    )
    source = local_lake.table(SPEC.source)
    for (day,), part in payments.group_by(pl.col("event_timestamp").dt.date()):
        source.write_day(day, part)
    built(local_lake, SPEC, end=48)
    return local_lake.table(SPEC.table)


def refused(table: LakeTable, words: str, *, end: datetime = DAY + timedelta(hours=48)) -> None:
    with pytest.raises(TableError, match=words):
        found(table.lake, SPEC, end)


def change(table: LakeTable, **columns: pl.Expr) -> None:
    """Writes the first row of the second day otherwise."""
    day = (DAY + timedelta(days=1)).date()
    rows = table.read_day(day)
    first = pl.int_range(pl.len()) == 0
    new = {n: pl.when(first).then(e).otherwise(pl.col(n)) for n, e in columns.items()}
    table.write_day(day, rows.with_columns(**new))


def test_rows_and_days_of_the_last_build_are_counted(table: LakeTable) -> None:
    valid = found(table.lake, SPEC, DAY + timedelta(hours=48))
    assert valid.days == len(table.days())
    assert valid.rows == sum(table.read_day(day).height for day in table.days())


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"card_id": pl.lit(None, pl.Int64)}, "card_id is there"),
        ({"created_timestamp": pl.lit(None)}, "created_timestamp is there"),
        ({"valid_until_us": pl.lit(0)}, "valid_until_us is after event_timestamp"),
        ({"card_payment_count_1h": pl.lit(-1)}, "card_payment_count_1h >= 0"),
        ({"card_payment_count_1h": pl.lit(99)}, "card_payment_count_1h <= card_payment_count_1d"),
        ({"card_fraud_rate_1d": pl.lit(1.5)}, "card_fraud_rate_1d is from 0 to 1"),
        ({"card_cents_max_1h": pl.lit(10**6)}, "card_cents_max_1h <= card_cents_max_1d"),
        ({"card_cents_min_1h": pl.lit(-5)}, "card_cents_min_1h >= card_cents_min_1d"),
        ({"card_cents_std_1d": pl.lit(-0.5)}, "card_cents_std_1d >= 0"),
    ],
)
def test_a_row_that_no_window_gives_is_named(
    table: LakeTable, columns: dict[str, pl.Expr], rule: str
) -> None:
    change(table, **columns)
    refused(table, rf"card_windows has 1 rows on 2018-04-02 against the rule '{rule}'")


def lose_a_day(table: LakeTable) -> None:
    table.drop_days([DAY.date()])


def add_a_day(table: LakeTable) -> None:
    table.write_day((DAY + timedelta(days=7)).date(), table.read_day(DAY.date()))


def lose_a_row(table: LakeTable) -> None:
    table.write_day(DAY.date(), table.read_day(DAY.date())[1:])


def repeat_a_row(table: LakeTable) -> None:
    rows = table.read_day(DAY.date())
    table.write_day(DAY.date(), pl.concat([rows[:1], rows[:1], rows[2:]]))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lose_a_day, "lacks 2018-04-01"),
        (add_a_day, "has unrecorded 2018-04-08"),
        (lose_a_row, r"has \d+ rows on 2018-04-01, expected \d+"),
        (repeat_a_row, "against the rule 'one row for each card_id, event_timestamp, created_"),
    ],
)
def test_days_and_rows_that_were_not_built_are_named(
    table: LakeTable, fault: Callable[[LakeTable], Any], words: str
) -> None:
    fault(table)
    refused(table, words)


def test_a_table_that_ends_early_or_was_never_built_is_named(
    table: LakeTable, tmp_path: Any
) -> None:
    refused(
        table,
        "ends at 2018-04-03T00:00:00.00:00, before 2018-04-03T01:00:00.00:00",
        end=DAY + timedelta(hours=49),
    )
    with pytest.raises(TableError, match="bank/card_windows was never built"):
        found(Lake.at(tmp_path / "other"), SPEC, DAY)
