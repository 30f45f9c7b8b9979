"""A transaction against what its card usually pays, and the record of its terminal."""

from __future__ import annotations

from typing import Any


def compare_with_profile(inputs: dict[str, Any]) -> dict[str, Any]:
    """Lists in, lists out; arrays in, arrays out. An unknown terminal has no frauds.

    Null, where there is nothing to compare with, is None in lists and NaN in arrays. The
    fourth week of a terminal is the one that ended 21 days ago. Feast runs this source
    elsewhere: what it needs, it must define or import inside.
    """
    import numpy as np

    def column(name: str) -> Any:
        # A null becomes NaN, which is not above zero either.
        return np.asarray(inputs[name], dtype=np.float64)

    def ratio(of: Any, to: Any) -> Any:
        return np.divide(of, to, out=np.full(len(to), np.nan), where=to > 0)

    amounts = column("amount_cents")
    median = column("customer_profile_amount_cents_median_60d")
    largest = column("customer_profile_amount_cents_max_14d")
    above_mean = amounts - column("customer_profile_amount_cents_mean_60d")
    frauds = column("terminal_profile_fraud_sum_28d") - column("terminal_profile_fraud_sum_21d")
    newest_us = column("terminal_profile_verdict_last_event_time_28d")
    outputs = {
        "tx_amount_cents": amounts.astype(np.int64),
        "tx_amount_to_median_60d": ratio(amounts, median),
        "tx_amount_deviations_60d": ratio(
            above_mean, column("customer_profile_amount_cents_std_60d")
        ),
        "tx_amount_to_max_14d": ratio(amounts, largest),
        "customer_max_14d_to_median_60d": ratio(largest, median),
        "terminal_frauds_fourth_week": np.where(np.isnan(frauds), 0, frauds).astype(np.int64),
        # Microseconds are below 2^53 until the year 2255: float64 holds them exactly.
        "terminal_hours_since_verdict": (column("transaction_time_us") - newest_us) / 3_600_000_000,
    }
    if isinstance(inputs["amount_cents"], list):
        return {
            name: [None if value != value else value for value in values.tolist()]
            for name, values in outputs.items()
        }
    return outputs
