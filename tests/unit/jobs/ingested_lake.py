"""A lake that raw transactions were ingested into, and what stands in its two tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal
from raw_transactions import write_parquet

from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

NAMES = ("fraud/transactions", "fraud/verdicts")


def add(rows: pl.DataFrame, lake: Lake, *, delay: int | None = None) -> IngestReceipt:
    """Ingests `rows` from a file beside the lake."""
    path = Path(lake.uri).with_name(f"{rows.hash_rows().sum()}.parquet")
    spec = ingest_spec(label_delay_days=delay)
    return ingest(spec, write_parquet(path, rows), lake=lake, max_rejected_share=1.0)


def stored(lake: Lake) -> list[pl.DataFrame]:
    """Every row of both tables, day after day."""
    return [lake.table(name).scan().collect() for name in NAMES]


def assert_same_tables(one: list[pl.DataFrame], other: list[pl.DataFrame]) -> None:
    """Both of two lakes, or of one at two times."""
    for left, right in zip(one, other, strict=True):
        assert_frame_equal(left, right)


def assert_as_of_one_ingest(lake: Lake, rows: pl.DataFrame) -> None:
    """The tables and their days are those of a lake that got `rows` in one file."""
    whole = Lake.at(f"{lake.uri}_whole")
    add(rows, whole)
    assert_same_tables(stored(lake), stored(whole))
    for name in NAMES:
        assert lake.table(name).days() == whole.table(name).days()
