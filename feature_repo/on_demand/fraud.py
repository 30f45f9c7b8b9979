"""A transaction against the windows of its card."""

from __future__ import annotations

from typing import Any


def compare_with_card(inputs: dict[str, Any]) -> dict[str, Any]:
    """Lists in, lists out; arrays in, arrays out. An unknown card has no transactions.

    Null is None in lists and NaN in arrays. Feast runs this source elsewhere: what it
    needs, it must define or import inside.
    """
    import numpy as np

    amounts = np.asarray(inputs["amount_cents"], dtype=np.int64)
    means = np.asarray(inputs["customer_amount_cents_mean_30d"], dtype=np.float64)
    hours = np.asarray(inputs["transaction_time_us"], dtype=np.int64) // 3_600_000_000
    to_mean = np.full(len(amounts), np.nan)
    # A null mean has become NaN, which is not above zero either.
    np.divide(amounts, means, out=to_mean, where=means > 0)
    outputs = {
        "tx_amount_cents": amounts,
        "tx_amount_to_mean_30d": to_mean,
        # 1970-01-01 was a Thursday: day 0 is weekday 3.
        "tx_is_weekend": ((hours // 24 + 3) % 7 >= 5).astype(np.int64),
        "tx_is_night": (hours % 24 < 7).astype(np.int64),
    }
    for window in ("1d", "7d", "30d"):
        counts = np.asarray(inputs[f"customer_tx_count_{window}"], dtype=np.float64)
        outputs[f"tx_count_{window}"] = np.where(np.isnan(counts), 0, counts).astype(np.int64) + 1
    if isinstance(inputs["amount_cents"], list):
        return {
            name: [None if value != value else value for value in column.tolist()]
            for name, column in outputs.items()
        }
    return outputs
