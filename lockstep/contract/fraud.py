"""Card fraud: a transaction is scored, and blocked or allowed."""

from __future__ import annotations

from lockstep.contract.scored_events import ScoredEvents

SCORED_EVENTS = ScoredEvents(
    table="fraud/transactions",
    row_id="transaction_id",
    entity_keys=("customer_id", "terminal_id"),
    request_columns=("amount_cents",),
    time_column="transaction_time_us",
    decisions=("allow", "block"),
)
