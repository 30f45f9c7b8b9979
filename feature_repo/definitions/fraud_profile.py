"""The transaction against what its card usually pays and what became known of its terminal."""

from __future__ import annotations

from feast import Field
from feast.types import Float64, Int64

PROFILE_FIELDS = (
    Field(name="tx_amount_cents", dtype=Int64),
    Field(name="tx_amount_to_median_60d", dtype=Float64),
    Field(name="tx_amount_deviations_60d", dtype=Float64),
    Field(name="tx_amount_to_max_14d", dtype=Float64),
    Field(name="customer_max_14d_to_median_60d", dtype=Float64),
    Field(name="terminal_frauds_fourth_week", dtype=Int64),
    Field(name="terminal_hours_since_verdict", dtype=Float64),
)
