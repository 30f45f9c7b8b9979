"""Card transactions and the verdicts on them, from files in the handbook's columns.

A transaction is known when it happens; whether it was a fraud is known when it is
reported. So one file becomes two tables, and the label never stands beside the
transaction: every transaction, genuine or not, gets one verdict, stamped with the
transaction's time plus the label delay.
"""

from __future__ import annotations

import polars as pl

from lockstep.jobs.ingest.column import ARRIVAL, YEAR_2100_US, Column
from lockstep.jobs.ingest.errors import IngestError
from lockstep.jobs.ingest.spec import IngestSpec, OutputTable

DEFAULT_LABEL_DELAY_DAYS = 7
MAX_LABEL_DELAY_DAYS = 3_650
MAX_AMOUNT_CENTS = 100_000_000_000

COLUMNS = (
    Column("transaction_id", "integer"),
    Column("tx_datetime", "timestamp", maximum=YEAR_2100_US - 1),
    Column("customer_id", "integer"),
    Column("terminal_id", "integer"),
    Column("tx_amount", "decimal", scale=2, maximum=MAX_AMOUNT_CENTS),
    # These two only repeat tx_datetime, counted from the file's first day: not stored.
    Column("tx_time_seconds", "integer", nullable=True, required=False),
    Column("tx_time_days", "integer", nullable=True, required=False),
    Column("tx_fraud", "integer", maximum=1),
    Column("tx_fraud_scenario", "integer", maximum=3),
    *ARRIVAL,
)

_DAY_US = 86_400_000_000


def ingest_spec(*, label_delay_days: int | None = None) -> IngestSpec:
    """How card transactions are ingested; verdicts are known `label_delay_days` (7) later.

    Verdicts are written first: a transaction that is in the lake has its verdict there.

    Raises:
        IngestError: the delay is negative or longer than ten years.
    """
    days = DEFAULT_LABEL_DELAY_DAYS if label_delay_days is None else label_delay_days
    if not 0 <= days <= MAX_LABEL_DELAY_DAYS:
        expected = f"0 to {MAX_LABEL_DELAY_DAYS:,} days"
        raise IngestError.out_of_range("label-delay-days", days, expected)
    return IngestSpec(
        use_case="fraud",
        columns=COLUMNS,
        headerless=tuple(c.name for c in COLUMNS if c not in ARRIVAL),
        key=("transaction_id",),
        event_time="tx_datetime",
        tables=(
            OutputTable("fraud/verdicts", lambda rows: verdicts(rows, label_delay_days=days)),
            OutputTable("fraud/transactions", transactions),
        ),
        rejected="fraud/transactions_rejected",
    )


def transactions(rows: pl.DataFrame) -> pl.DataFrame:
    """What was known when each transaction happened; no labels."""
    return rows.select(
        "transaction_id",
        _instant(pl.col("tx_datetime")).alias("event_timestamp"),
        _instant(pl.col("created_timestamp")),
        "customer_id",
        "terminal_id",
        pl.col("tx_amount").alias("amount_cents"),
    )


def verdicts(rows: pl.DataFrame, *, label_delay_days: int) -> pl.DataFrame:
    """What became known of each transaction, `label_delay_days` after it.

    It has the transaction's created time, which is mostly before it is known: then it
    counts as known on time, at its event time.
    """
    known = pl.col("tx_datetime") + label_delay_days * _DAY_US
    return rows.select(
        "transaction_id",
        _instant(known).alias("event_timestamp"),
        _instant(pl.col("created_timestamp")),
        "customer_id",
        "terminal_id",
        _instant(pl.col("tx_datetime")).alias("transaction_timestamp"),
        pl.col("tx_fraud").alias("fraud"),
        pl.col("tx_fraud_scenario").alias("fraud_scenario"),
    )


def _instant(microseconds: pl.Expr) -> pl.Expr:
    return microseconds.cast(pl.Datetime("us", "UTC"))
