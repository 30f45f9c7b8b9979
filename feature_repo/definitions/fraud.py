"""Card fraud: what customers and terminals did before a transaction, and the transaction itself."""

from __future__ import annotations

from datetime import timedelta

from feast import Entity, FeatureService, Field, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

from feature_repo.definitions.fraud_profile import PROFILE_FIELDS
from feature_repo.on_demand.fraud import compare_with_card
from feature_repo.on_demand.fraud_profile import compare_with_profile
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
