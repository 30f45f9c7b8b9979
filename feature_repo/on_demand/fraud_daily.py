"""A transaction against the daily marts of its card and its terminal."""

from __future__ import annotations

from typing import Any


def compare_with_daily(inputs: dict[str, Any]) -> dict[str, Any]:
    """The amount over the smallest and the largest of 30 days, and the time since the last.

    The last is the newest payment known at midnight. Lists in, lists out; arrays in, arrays
    out. Null, where there is none, is None in lists and NaN in arrays. Feast runs this
    source elsewhere: what it needs, it must define or import inside.
    """
    import numpy as np

    amounts = np.asarray(inputs["amount_cents"], dtype=np.int64)
    # Microseconds are below 2^53 until the year 2255: float64 holds them exactly.
    times = np.asarray(inputs["transaction_time_us"], dtype=np.float64)
    outputs: dict[str, Any] = {}
    for entity in ("customer", "terminal"):
        newest = inputs[f"{entity}_daily_tx_last_event_time_30d"]
        since_last = times - np.asarray(newest, dtype=np.float64)
        outputs[f"{entity}_seconds_since_last_tx"] = since_last // 1_000_000
        for extreme in ("min", "max"):
            bounds = inputs[f"{entity}_daily_amount_cents_{extreme}_30d"]
            bounds = np.asarray(bounds, dtype=np.float64)
            to_bound = np.full(len(amounts), np.nan)
            # A null bound has become NaN, which is not above zero either.
            np.divide(amounts, bounds, out=to_bound, where=bounds > 0)
            outputs[f"tx_amount_to_{entity}_{extreme}_30d"] = to_bound
    if isinstance(inputs["amount_cents"], list):
        return {
            name: [None if value != value else value for value in column.tolist()]
            for name, column in outputs.items()
        }
    return outputs
