"""Card fraud: every transaction whose verdict is known is a labelled row."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from lockstep.lake.table import LakeTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from training.card_precision import card_precision
from training.use_case import LABEL, LABEL_KNOWN_AT, UseCase

_TRANSACTIONS = "fraud/transactions"
_VERDICTS = "fraud/verdicts"
_ID = "transaction_id"
_NEXT_STEP = "run `lockstep ingest fraud` first"


def labelled_transactions(lake_dir: Path, as_of: datetime) -> pl.DataFrame:
    """Transactions with the verdict known at `as_of`, ordered by time and id.

    Where a verdict was corrected, the newest one that had arrived by `as_of` counts.

    Raises:
        LakeError: the lake has no transactions or no verdicts, or a partition is not parquet.
    """
    transactions = _known_at(
        LakeTable(lake_dir, _TRANSACTIONS),
        as_of,
        pl.col("customer_id"),
        pl.col("terminal_id"),
        pl.col(EVENT_TIMESTAMP),
        pl.col("amount_cents"),
        pl.col(EVENT_TIMESTAMP).dt.timestamp("us").alias("transaction_time_us"),
    )
    verdicts = _known_at(
        LakeTable(lake_dir, _VERDICTS),
        as_of,
        pl.col("fraud").cast(pl.Int64).alias(LABEL),
        pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP).alias(LABEL_KNOWN_AT),
    )
    newest = verdicts.sort(LABEL_KNOWN_AT, maintain_order=True).unique(_ID, keep="last")
    return transactions.join(newest, on=_ID, how="inner").sort(EVENT_TIMESTAMP, _ID)


def _known_at(table: LakeTable, as_of: datetime, *columns: pl.Expr) -> pl.DataFrame:
    known = pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP) <= as_of
    return table.collect(table.scan(next_step=_NEXT_STEP).filter(known).select(_ID, *columns))


USE_CASE = UseCase(
    name="fraud",
    feature_service="fraud_v1",
    row_id=_ID,
    labels_table=_VERDICTS,
    entity_rows=labelled_transactions,
    extra_metrics=card_precision,
)
