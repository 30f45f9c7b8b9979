"""Card fraud: every transaction whose verdict is known is a labelled row."""

from __future__ import annotations

import polars as pl

from lockstep.contract.fraud import SCORED_EVENTS
from training.costs import DecisionCosts
from training.labelled_events import LabelledEvents
from training.review_budget import card_review
from training.tasks.two_classes import TwoClasses
from training.use_case import UseCase

labelled_transactions = LabelledEvents(
    SCORED_EVENTS, "fraud/verdicts", "fraud", more=("fraud_scenario",)
)


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
    row_id=SCORED_EVENTS.row_id,
    labels_table=labelled_transactions.labels_table,
    entity_rows=labelled_transactions,
    # A wrong block is a call to the card's owner; a fraud that is missed costs its amount.
    task=TwoClasses(DecisionCosts(unit="cents", wrong_block=5_00.0, missed="amount_cents")),
    daily_shares=lambda scored: card_review(scored.rows, scored.scores),
    slices={
        **{f"fraud: {name}": _scenario(number) for number, name in _SCENARIOS.items()},
        **{f"amount {name}": _amount(*bounds) for name, bounds in _AMOUNTS.items()},
        "card not used for 30 days": pl.col("customer_tx_count_30d").fill_null(0) == 0,
        "card not used for 60 days": pl.col("tx_amount_to_median_60d").is_null(),
    },
    suspect="customer_id",
)
