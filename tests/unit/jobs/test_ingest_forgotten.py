"""Rows of the forgotten are refused, good or bad, and nothing of them is kept."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from raw_transactions import good_rows, spoiled

from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.local import LocalEngine
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.forgotten import Forgotten
from lockstep.lake.lake import Lake

# Of thirty rows customer 2 has every fifth; the eighth row is one of these.
THEIRS, CUSTOMER, EIGHTH = 6, 2, 7


@pytest.mark.parametrize("engine", [LocalEngine(), LocalEngine(rows_a_bucket=4)])
def test_good_and_bad_rows_are_refused_and_counted(tmp_path: Path, engine: LocalEngine) -> None:
    lake, file = Lake.at(tmp_path / "lake"), tmp_path / "raw.parquet"
    Forgotten.read(lake, "fraud").also("customer_id", CUSTOMER).write(lake)
    rows = spoiled(good_rows(30), EIGHTH, TX_AMOUNT="much")
    spoiled(rows, 0, TX_AMOUNT="more").write_parquet(file)
    receipt = ingest(ingest_spec(), file, lake=lake, engine=engine)
    assert (receipt.rows_in, receipt.forgotten, receipt.rejected) == (30, THEIRS, 1)
    assert receipt.accepted == 30 - THEIRS - 1
    for name in ("transactions", "verdicts"):
        stored = lake.table(f"fraud/{name}").scan().collect()
        assert stored.height == receipt.accepted
        assert CUSTOMER not in stored["customer_id"]
    parts = lake.list("fraud/transactions_rejected/source=")
    assert pl.concat([lake.read_parquet(part) for part in parts])["tx_amount"].to_list() == ["more"]


def test_a_file_of_nobody_else_adds_nothing(tmp_path: Path) -> None:
    lake, file = Lake.at(tmp_path / "lake"), tmp_path / "raw.parquet"
    Forgotten.read(lake, "fraud").also("customer_id", CUSTOMER).write(lake)
    good_rows(30).filter(pl.col("CUSTOMER_ID") == CUSTOMER).write_parquet(file)
    receipt = ingest(ingest_spec(), file, lake=lake)
    assert (receipt.rows_in, receipt.forgotten, receipt.first_day) == (THEIRS, THEIRS, None)
    assert not [key for key in lake.list("fraud/") if key.endswith(".parquet")]


def test_an_older_receipt_is_one_without_forgotten_rows(tmp_path: Path) -> None:
    """What an ingest before this had committed is still completed."""
    lake, file = Lake.at(tmp_path / "lake"), tmp_path / "raw.parquet"
    good_rows(3).write_parquet(file)
    receipt = ingest(ingest_spec(), file, lake=lake)
    told = {name: value for name, value in vars(receipt).items() if name != "forgotten"}
    assert type(receipt)(**told) == receipt
