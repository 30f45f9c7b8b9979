"""The one file that `feast apply` scans: imports from the installed package, no logic."""

from feature_repo.definitions.fraud import (
    customer,
    customer_windows,
    fraud_v1,
    terminal,
    terminal_windows,
    transaction_features,
)

__all__ = [
    "customer",
    "customer_windows",
    "fraud_v1",
    "terminal",
    "terminal_windows",
    "transaction_features",
]
