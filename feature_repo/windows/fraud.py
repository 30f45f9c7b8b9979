"""What customers did, and what became known of terminals, over 1, 7 and 30 days."""

from __future__ import annotations

from feature_repo.windows.fraud_daily import DAILY_SPECS
from feature_repo.windows.fraud_profile import PROFILE_SPECS
from lockstep.windows.spec import Aggregation, WindowSpec

CUSTOMER_WINDOWS = WindowSpec(
    name="customer_windows",
    source="fraud/transactions",
    entity="customer",
    entity_keys=("customer_id",),
    windows=("1d", "7d", "30d"),
    aggregations=(
        Aggregation("count", what="tx"),
        Aggregation("sum", "amount_cents"),
        Aggregation("mean", "amount_cents"),
    ),
)
TERMINAL_WINDOWS = WindowSpec(
    name="terminal_windows",
    source="fraud/verdicts",
    entity="terminal",
    entity_keys=("terminal_id",),
    windows=("1d", "7d", "30d"),
    aggregations=(
        Aggregation("count", what="verdict"),
        Aggregation("sum", "fraud"),
        Aggregation("rate", "fraud"),
    ),
)
WINDOW_SPECS = (CUSTOMER_WINDOWS, TERMINAL_WINDOWS, *DAILY_SPECS, *PROFILE_SPECS)
