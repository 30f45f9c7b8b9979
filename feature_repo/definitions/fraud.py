"""Card fraud: what customers and terminals did before a transaction, and the transaction itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from feast import Entity, FeatureService, Field, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

from feature_repo.step_view import step_view
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS

customer = Entity(
    name="customer", join_keys=["customer_id"], value_type=ValueType.INT64, description="A card."
)
terminal = Entity(
    name="terminal",
    join_keys=["terminal_id"],
    value_type=ValueType.INT64,
    description="A point of sale.",
)

customer_windows = step_view(
    CUSTOMER_WINDOWS,
    entity=customer,
    max_age=timedelta(days=2),
    description="A card's transactions over the last 1, 7 and 30 days; amounts in cents.",
)
terminal_windows = step_view(
    TERMINAL_WINDOWS,
    entity=terminal,
    max_age=timedelta(days=2),
    description="Verdicts on a terminal that became known in the last 1, 7 and 30 days.",
)

transaction = RequestSource(
    name="transaction",
    schema=[
        Field(name="amount_cents", dtype=Int64),
        Field(name="transaction_time_us", dtype=Int64),
    ],
    description="The transaction being scored: its amount, and its time in microseconds UTC.",
)


def compare_with_card(inputs: dict[str, Any]) -> dict[str, Any]:
    """Columns in, columns out; an unknown card has no transactions and no mean.

    Feast runs this source elsewhere: what it needs, it must define or import inside.
    """
    amounts = inputs["amount_cents"]
    means = inputs["customer_amount_cents_mean_30d"]
    hours = [time // 3_600_000_000 for time in inputs["transaction_time_us"]]
    outputs = {
        "tx_amount_cents": amounts,
        "tx_amount_to_mean_30d": [
            amount / mean if mean else None for amount, mean in zip(amounts, means, strict=True)
        ],
        # 1970-01-01 was a Thursday: day 0 is weekday 3.
        "tx_is_weekend": [int((hour // 24 + 3) % 7 >= 5) for hour in hours],
        "tx_is_night": [int(hour % 24 < 7) for hour in hours],
    }
    for window in ("1d", "7d", "30d"):
        counts = inputs[f"customer_tx_count_{window}"]
        outputs[f"tx_count_{window}"] = [(count or 0) + 1 for count in counts]
    return outputs


transaction_features = on_demand_feature_view(
    name="transaction_features",
    sources=[customer_windows, transaction],
    schema=[
        Field(name="tx_amount_cents", dtype=Int64),
        Field(name="tx_amount_to_mean_30d", dtype=Float64),
        Field(name="tx_count_1d", dtype=Int64),
        Field(name="tx_count_7d", dtype=Int64),
        Field(name="tx_count_30d", dtype=Int64),
        Field(name="tx_is_weekend", dtype=Int64),
        Field(name="tx_is_night", dtype=Int64),
    ],
    mode="python",
    description="The transaction against its card: counts include it; a night ends at 07:00 UTC.",
)(compare_with_card)

fraud_v1 = FeatureService(
    name="fraud_v1",
    features=[
        customer_windows[list(CUSTOMER_WINDOWS.features())],
        terminal_windows[list(TERMINAL_WINDOWS.features())],
        transaction_features,
    ],
    description="What the card-fraud model reads, in its order.",
)
