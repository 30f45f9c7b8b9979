"""The daily marts of customers and terminals as views; a value is valid for one day."""

from __future__ import annotations

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64

from feature_repo.definitions.fraud import customer, terminal, transaction
from feature_repo.on_demand.fraud_daily import compare_with_daily
from feature_repo.step_view import step_view
from feature_repo.windows.fraud_daily import (
    CUSTOMER_DAILY,
    CUSTOMER_VERDICTS_DAILY,
    TERMINAL_DAILY,
    TERMINAL_VERDICTS_DAILY,
)
from lockstep.windows.spec import WindowSpec


def _mart(spec: WindowSpec, entity: Entity, description: str) -> FeatureView:
    day = timedelta(days=1)
    return step_view(spec, entity=entity, max_age=2 * day, ttl=day, description=description)


customer_daily = _mart(CUSTOMER_DAILY, customer, "What a card paid, at midnight; in cents.")
terminal_daily = _mart(TERMINAL_DAILY, terminal, "What a terminal took, at midnight; in cents.")
customer_verdicts_daily = _mart(
    CUSTOMER_VERDICTS_DAILY, customer, "Verdicts on a card known by midnight."
)
terminal_verdicts_daily = _mart(
    TERMINAL_VERDICTS_DAILY, terminal, "Verdicts on a terminal known by midnight."
)

transaction_to_daily = on_demand_feature_view(
    name="transaction_to_daily",
    # Not the whole views: `valid_until_us` stands in both.
    sources=[
        customer_daily[list(CUSTOMER_DAILY.features())],
        terminal_daily[list(TERMINAL_DAILY.features())],
        transaction,
    ],
    schema=[
        *(
            Field(name=f"tx_amount_to_{entity}_{extreme}_30d", dtype=Float64)
            for entity in ("customer", "terminal")
            for extreme in ("min", "max")
        ),
        *(
            Field(name=f"{entity}_seconds_since_last_tx", dtype=Float64)
            for entity in ("customer", "terminal")
        ),
    ],
    mode="python",
    tags={"columns": "numpy"},
    description="The transaction against what its card and its terminal did before midnight.",
)(compare_with_daily)

fraud_daily_v1 = FeatureService(
    name="fraud_daily_v1",
    features=[
        customer_daily[list(CUSTOMER_DAILY.features())],
        terminal_daily[list(TERMINAL_DAILY.features())],
        customer_verdicts_daily[list(CUSTOMER_VERDICTS_DAILY.features())],
        terminal_verdicts_daily[list(TERMINAL_VERDICTS_DAILY.features())],
        transaction_to_daily,
    ],
    description="The daily marts, and the transaction against them.",
)
