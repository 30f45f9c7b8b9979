"""Files of facts for the ingest, and what a lake holds after them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from hypothesis import strategies as st
from ingest_oracle import Fact, Row

from lockstep.jobs.ingest.engine import Engine
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.receipt import IngestReceipt
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake

TRANSACTIONS, VERDICTS = "fraud/transactions", "fraud/verdicts"
START = datetime(2018, 4, 1)
DELAY = timedelta(days=7)

# Three ids, three days and few values, so that most rows have to do with each other.
rows = st.builds(
    Row,
    id=st.integers(0, 2),
    event=st.sampled_from([1, 5, 30, 50]),
    created=st.integers(0, 9),
    amount=st.integers(0, 1),
    fraud=st.integers(0, 1),
    deleted=st.sampled_from([0, 0, 0, 1]),
)
files = st.lists(rows, min_size=1, max_size=6)


def frame(of: Iterable[Row]) -> pl.DataFrame:
    """The rows in the columns of a file."""
    return pl.DataFrame(
        [
            {
                "TRANSACTION_ID": row.id,
                "TX_DATETIME": START + timedelta(hours=row.event),
                "CUSTOMER_ID": 10 + row.id,
                "TERMINAL_ID": 20 + row.id,
                "TX_AMOUNT": float(row.amount),
                "TX_FRAUD": row.fraud,
                "TX_FRAUD_SCENARIO": 0,
                "CREATED_TIMESTAMP": START + timedelta(hours=10 * row.created),
                "IS_DELETED": row.deleted,
            }
            for row in of
        ]
    )


def add(of: Sequence[Row], lake: Lake, *, engine: Engine | None = None) -> IngestReceipt:
    """Ingests the rows as one parquet file beside the lake."""
    path = Path(lake.uri).with_suffix(".parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    frame(of).write_parquet(path)
    return ingest(ingest_spec(), path, lake=lake, max_rejected_share=1.0, engine=engine)


def facts(lake: Lake) -> dict[int, list[Fact]]:
    """The facts of each id in their order; checks that both tables hold the same ones."""
    if not lake.table(TRANSACTIONS).days():
        assert not lake.table(VERDICTS).days()
        return {}
    transactions, verdicts = (_sorted(lake, name) for name in (TRANSACTIONS, VERDICTS))
    same = ["transaction_id", "created_timestamp", "is_deleted", "customer_id", "terminal_id"]
    assert transactions.select(same).equals(verdicts.select(same))
    assert (verdicts["transaction_timestamp"] == transactions["event_timestamp"]).all()
    assert (verdicts["event_timestamp"] == transactions["event_timestamp"] + DELAY).all()
    found: dict[int, list[Fact]] = {}
    for row, fraud in zip(transactions.to_dicts(), verdicts["fraud"], strict=True):
        values = (_hours(row["event_timestamp"]), row["amount_cents"] // 100, fraud)
        fact = Fact(_hours(row["created_timestamp"]) // 10, row["is_deleted"], values)
        found.setdefault(row["transaction_id"], []).append(fact)
    return found


def partitions(lake: Lake) -> dict[str, bytes]:
    """Every partition of both tables, byte for byte."""
    keys = [key for name in (TRANSACTIONS, VERDICTS) for key in lake.list(f"{name}/day=")]
    return {key: lake.read_bytes(key) for key in keys}


def _sorted(lake: Lake, name: str) -> pl.DataFrame:
    order = ["transaction_id", "created_timestamp", "is_deleted"]
    return lake.table(name).scan().collect().sort(order, descending=[False, False, True])


def _hours(instant: datetime) -> int:
    return (instant.replace(tzinfo=None) - START) // timedelta(hours=1)
