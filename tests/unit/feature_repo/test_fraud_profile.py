"""The transaction against its card and terminal: by hand, in lists and in arrays alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions import fraud
from feature_repo.definitions.fraud_profile import PROFILE_FIELDS
from feature_repo.on_demand.fraud_profile import compare_with_profile
from serving.plan_compiler import service_plan

HOUR_US = 3_600_000_000
STORED = (
    *fraud.CUSTOMER_PROFILE.features(),
    *fraud.TERMINAL_PROFILE.features(),
)
TIMES = st.integers(1_500_000_000_000_000, 1_600_000_000_000_000)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "amount_cents": st.integers(0, 10**11),
            "transaction_time_us": TIMES,
            **{
                name: st.none() | (TIMES if "event_time" in name else st.integers(0, 10**6))
                for name in STORED
            },
        }
    ),
    min_size=1,
    max_size=4,
)


def one(**values: Any) -> dict[str, Any]:
    """The features of one transaction; what is not given is null."""
    given_values = dict.fromkeys(STORED) | {"transaction_time_us": 50 * HOUR_US} | values
    outputs = compare_with_profile({name: [value] for name, value in given_values.items()})
    return {name: value for name, (value,) in outputs.items()}


def test_by_hand() -> None:
    assert one(
        amount_cents=900,
        customer_profile_amount_cents_mean_60d=400.0,
        customer_profile_amount_cents_std_60d=200.0,
        customer_profile_amount_cents_median_60d=300.0,
        customer_profile_amount_cents_max_14d=1200,
        terminal_profile_fraud_sum_28d=5,
        terminal_profile_fraud_sum_21d=3,
        terminal_profile_verdict_last_event_time_28d=47 * HOUR_US,
    ) == {
        "tx_amount_cents": 900,
        "tx_amount_to_median_60d": 3.0,
        "tx_amount_deviations_60d": 2.5,
        "tx_amount_to_max_14d": 0.75,
        "customer_max_14d_to_median_60d": 4.0,
        "terminal_frauds_fourth_week": 2,
        "terminal_hours_since_verdict": 3.0,
    }


def test_an_unknown_card_and_terminal_leave_the_amount_and_no_frauds() -> None:
    unknown = one(amount_cents=900)
    assert unknown.pop("tx_amount_cents") == 900
    assert unknown.pop("terminal_frauds_fourth_week") == 0
    assert set(unknown.values()) == {None}


def test_equal_amounts_have_no_deviation_to_divide_by() -> None:
    same = one(
        amount_cents=900,
        customer_profile_amount_cents_mean_60d=400.0,
        customer_profile_amount_cents_std_60d=0.0,
        customer_profile_amount_cents_median_60d=0.0,
    )
    assert same["tx_amount_deviations_60d"] is None
    assert same["tx_amount_to_median_60d"] is None


@given(ROWS)
def test_lists_and_arrays_say_the_same(rows: list[dict[str, Any]]) -> None:
    lists = {name: [row[name] for row in rows] for name in rows[0]}
    exact = {name: np.array(lists[name]) for name in ("amount_cents", "transaction_time_us")}
    arrays = {n: np.array(v, dtype=np.float64) for n, v in lists.items() if n not in exact}
    of_lists, of_arrays = compare_with_profile(lists), compare_with_profile(exact | arrays)
    declared = {field.name: field.dtype for field in PROFILE_FIELDS}
    assert set(of_lists) == set(of_arrays) == set(declared)
    for name, values in of_arrays.items():
        assert isinstance(values, np.ndarray)
        assert [None if math.isnan(v) else v for v in values.tolist()] == of_lists[name]
        assert values.dtype == str(declared[name]).lower()


def test_the_service_can_be_served() -> None:
    plan = service_plan("cards", fraud.fraud_v2, fraud)
    assert {feature.name for feature in plan.stored} == set(STORED)
    computed = tuple(field.name for field in PROFILE_FIELDS)
    assert tuple(feature.name for feature in plan.features)[-len(computed) :] == computed
    assert plan.computed == set(computed)


@pytest.mark.parametrize("name", [n for n in vars(fraud) if n.startswith("fraud_v")])
def test_no_service_offers_a_feature_twice(name: str) -> None:
    features = [f.name for f in service_plan("cards", vars(fraud)[name], fraud).features]
    assert len(set(features)) == len(features)
