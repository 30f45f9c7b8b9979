"""The real transactions, built in one go and day by day: the same files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from source_histories import HOUR, T0, built, files

from feature_repo.windows.fraud import CUSTOMER_WINDOWS
from lockstep.lake.lake import Lake

pytestmark = pytest.mark.realdata

DAYS = 183


def write_transactions(lake: Lake, transactions: pl.DataFrame) -> None:
    """Every hundredth one reaches the lake three days late."""
    late = pl.when(pl.col("transaction_id") % 100 == 0).then(timedelta(days=3))
    rows = transactions.select(
        "customer_id",
        "event_timestamp",
        pl.col("created_timestamp") + late.otherwise(timedelta(0)),
        "amount_cents",
    )
    for (day,), part in rows.group_by(pl.col("event_timestamp").dt.date()):
        lake.table(CUSTOMER_WINDOWS.source).write_day(day, part)


def test_increments_leave_the_files_of_a_whole_build(
    real_transactions: pl.DataFrame, tmp_path: Path
) -> None:
    whole, increments = Lake.at(tmp_path / "whole"), Lake.at(tmp_path / "increments")
    for lake in (whole, increments):
        write_transactions(lake, real_transactions)
    (receipt,) = built(whole, CUSTOMER_WINDOWS, end=DAYS * 24, most_steps=3_000_000)
    assert receipt.late["under_7d"] == receipt.rows_in - receipt.late["on_time"] > 17_000
    cuts = [hours + (DAYS - 4) * 24 for hours in (0, 24, 31, 72, 96)]
    built(increments, CUSTOMER_WINDOWS, end=cuts[0])
    for start, end in zip(cuts, cuts[1:], strict=False):
        (receipt,) = built(increments, CUSTOMER_WINDOWS, start=start, end=end)
    assert files(increments, CUSTOMER_WINDOWS) == files(whole, CUSTOMER_WINDOWS)
    table = whole.table(CUSTOMER_WINDOWS.table)
    assert table.horizon() == T0 + DAYS * 24 * HOUR
    assert receipt.content_hash == table.metadata()["build"]["content_hash"]
