"""Card fraud: every transaction whose verdict is known is a labelled row."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from lockstep.lake.facts import live_rows, scan_facts
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from training.costs import DecisionCosts
from training.review_budget import card_review
from training.use_case import LABEL, LABEL_KNOWN_AT, UseCase

_TRANSACTIONS = "fraud/transactions"
_VERDICTS = "fraud/verdicts"
_ID = "transaction_id"
_NEXT_STEP = "run `lockstep ingest fraud` first"


def labelled_transactions(
    lake: Lake, as_of: datetime, since: datetime | None = None
) -> pl.DataFrame:
    """Transactions with the verdict known at `as_of`, ordered by time and id.

    Of a transaction or verdict that was corrected, the newest version known at `as_of`
    counts; one that was deleted by then does not count. With `since` only transactions
    from then on.

    Raises:
        LakeError: the lake has no transactions or no verdicts, or a partition is not parquet.
    """
    transactions = _known_at(
        LakeTable(lake, _TRANSACTIONS),
        as_of,
        since,
        pl.col("customer_id"),
        pl.col("terminal_id"),
        pl.col(EVENT_TIMESTAMP),
        pl.col("amount_cents"),
        pl.col(EVENT_TIMESTAMP).dt.timestamp("us").alias("transaction_time_us"),
    )
    verdicts = _known_at(
        LakeTable(lake, _VERDICTS),
        as_of,
        since,
        pl.col("fraud").cast(pl.Int64).alias(LABEL),
        pl.col("fraud_scenario"),
        pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP).alias(LABEL_KNOWN_AT),
    )
    return transactions.join(verdicts, on=_ID, how="inner").sort(EVENT_TIMESTAMP, _ID)


def _known_at(
    table: LakeTable, as_of: datetime, since: datetime | None, *columns: pl.Expr
) -> pl.DataFrame:
    facts = scan_facts(table, next_step=_NEXT_STEP)
    if since is not None:
        # A verdict comes no earlier than its transaction, and a deletion repeats its row's time.
        facts = facts.filter(pl.col(EVENT_TIMESTAMP) >= since)
    rows = live_rows(facts, [_ID], known_as_of=as_of)
    return table.collect(rows.select(_ID, *columns))


def _scenario(number: int) -> pl.Expr:
    """Frauds of a scenario of the handbook's simulator, and all that is genuine."""
    return pl.col("fraud_scenario").is_in([0, number])


def _amount(least: int, below: int | None) -> pl.Expr:
    amount = pl.col("amount_cents")
    return amount >= least if below is None else (amount >= least) & (amount < below)


_AMOUNTS = {"below 50": (0, 50_00), "50 to 220": (50_00, 220_00), "220 and more": (220_00, None)}
_SCENARIOS = {1: "amount above 220", 2: "terminal compromised", 3: "card details leaked"}

USE_CASE = UseCase(
    name="fraud",
    feature_service="fraud_v1",
    row_id=_ID,
    labels_table=_VERDICTS,
    entity_rows=labelled_transactions,
    # A wrong block is a call to the card's owner; a fraud that is missed costs its amount.
    costs=DecisionCosts(unit="cents", wrong_block=5_00.0, missed="amount_cents"),
    daily_shares=card_review,
    slices={
        **{f"fraud: {name}": _scenario(number) for number, name in _SCENARIOS.items()},
        **{f"amount {name}": _amount(*bounds) for name, bounds in _AMOUNTS.items()},
        "card not used for 30 days": pl.col("customer_tx_count_30d").fill_null(0) == 0,
        "card not used for 60 days": pl.col("tx_amount_to_median_60d").is_null(),
    },
    suspect="customer_id",
)
