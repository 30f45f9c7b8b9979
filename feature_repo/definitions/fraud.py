"""Card fraud: what customers and terminals did before a transaction, and the transaction itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from feast import Entity, FeatureService, Field, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

from feature_repo.definitions.fraud_profile import PROFILE_FIELDS, compare_with_profile
from feature_repo.step_view import step_view
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from feature_repo.windows.fraud_profile import CUSTOMER_PROFILE, TERMINAL_PROFILE

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
customer_profile = step_view(
    CUSTOMER_PROFILE,
    entity=customer,
    max_age=timedelta(days=2),
    description="What a card paid in the last 14 and 60 days; in cents.",
)
terminal_profile = step_view(
    TERMINAL_PROFILE,
    entity=terminal,
    max_age=timedelta(days=2),
    description="Verdicts on a terminal that became known in the last 7, 21 and 28 days.",
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
        outputs[f"tx_count_{window}"] = np.nan_to_num(counts).astype(np.int64) + 1
    if isinstance(inputs["amount_cents"], list):
        return {
            name: [None if value != value else value for value in column.tolist()]
            for name, column in outputs.items()
        }
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
    tags={"columns": "numpy"},
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

transaction_profile = on_demand_feature_view(
    name="transaction_profile",
    # Not the whole views: `valid_until_us` stands in both.
    sources=[
        customer_profile[list(CUSTOMER_PROFILE.features())],
        terminal_profile[list(TERMINAL_PROFILE.features())],
        transaction,
    ],
    schema=list(PROFILE_FIELDS),
    mode="python",
    tags={"columns": "numpy"},
    description="The transaction against what its card paid before; the terminal's verdicts.",
)(compare_with_profile)

fraud_v2 = FeatureService(
    name="fraud_v2",
    features=[
        customer_profile[["customer_profile_amount_cents_mean_60d"]],
        terminal_profile[
            [
                "terminal_profile_fraud_sum_7d",
                "terminal_profile_fraud_sum_21d",
                "terminal_profile_fraud_rate_7d",
                "terminal_profile_fraud_rate_21d",
                "terminal_profile_fraud_last_28d",
            ]
        ],
        transaction_profile,
    ],
    description="The card's habits and the terminal's record, in the order of the model.",
)
