"""The one file that `feast apply` scans: imports from the installed package, no logic."""

from feature_repo.definitions.fraud import (
    customer,
    customer_profile,
    customer_windows,
    fraud_v1,
    fraud_v2,
    terminal,
    terminal_profile,
    terminal_windows,
    transaction_features,
    transaction_profile,
)
from feature_repo.definitions.fraud_daily import (
    customer_daily,
    customer_verdicts_daily,
    fraud_daily_v1,
    terminal_daily,
    terminal_verdicts_daily,
    transaction_to_daily,
)

__all__ = [
    "customer",
    "customer_daily",
    "customer_profile",
    "customer_verdicts_daily",
    "customer_windows",
    "fraud_daily_v1",
    "fraud_v1",
    "fraud_v2",
    "terminal",
    "terminal_daily",
    "terminal_profile",
    "terminal_verdicts_daily",
    "terminal_windows",
    "transaction_features",
    "transaction_profile",
    "transaction_to_daily",
]
