"""What a card usually pays, what it paid of late, and how a terminal's verdicts run.

A payment is compared with the middle of sixty days, which a few frauds do not move, and with
the largest of fourteen: leaked details show as amounts that are all too large. A compromised
terminal shows as nothing but frauds until it is mended.
"""

from __future__ import annotations

from lockstep.windows.spec import Aggregation, WindowSpec

CUSTOMER_PROFILE = WindowSpec(
    name="customer_profile",
    source="fraud/transactions",
    entity="customer_profile",
    entity_keys=("customer_id",),
    windows=("14d", "60d"),
    aggregations=(
        Aggregation("mean", "amount_cents"),
        Aggregation("std", "amount_cents"),
        Aggregation("median", "amount_cents"),
        Aggregation("max", "amount_cents"),
    ),
)
TERMINAL_PROFILE = WindowSpec(
    name="terminal_profile",
    source="fraud/verdicts",
    entity="terminal_profile",
    entity_keys=("terminal_id",),
    windows=("7d", "21d", "28d"),
    aggregations=(
        Aggregation("sum", "fraud"),
        Aggregation("rate", "fraud"),
        Aggregation("last", "fraud"),
        Aggregation("last_event_time", what="verdict"),
    ),
)
PROFILE_SPECS = (CUSTOMER_PROFILE, TERMINAL_PROFILE)
