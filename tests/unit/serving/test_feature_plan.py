"""What a feature service needs at request time."""

from __future__ import annotations

from types import ModuleType

import pytest
from feast import FeatureService

from feature_repo.definitions import fraud
from feature_repo.windows.fraud import CUSTOMER_WINDOWS, TERMINAL_WINDOWS
from lockstep.contract.status import FeatureStatus
from lockstep.stores.online_read import FeatureValue
from serving.errors import DefinitionsError
from serving.feature_plan import FeaturePlan, feature_services

_ON_DEMAND = (
    "tx_amount_cents",
    "tx_amount_to_mean_30d",
    "tx_count_1d",
    "tx_count_7d",
    "tx_count_30d",
    "tx_is_weekend",
    "tx_is_night",
)


def test_features_come_in_the_order_of_the_service() -> None:
    plan = FeaturePlan.of(fraud.fraud_v1, fraud)
    windows = (*CUSTOMER_WINDOWS.features(), *TERMINAL_WINDOWS.features())
    assert plan.features == (*windows, *_ON_DEMAND)


def test_the_inputs_of_a_function_are_read_even_where_the_service_lacks_them() -> None:
    service = FeatureService(name="slim", features=[fraud.transaction_features])
    plan = FeaturePlan.of(service, fraud)
    assert plan.features == _ON_DEMAND
    assert plan.stored == {"customer_windows": tuple(CUSTOMER_WINDOWS.features())}
    assert [view.name for view in plan.views] == ["customer_windows"]


def test_values_are_those_of_the_definitions_function() -> None:
    plan = FeaturePlan.of(fraud.fraud_v1, fraud)
    stored = {
        name: FeatureValue(4, FeatureStatus.PRESENT, 60.0)
        for view in plan.stored.values()
        for name in view
    }
    saturday_one_o_clock = 1_523_062_800_000_000
    request = {"amount_cents": 10, "transaction_time_us": saturday_one_o_clock}
    values = plan.values(stored, request)
    assert set(values) == set(plan.features)
    assert values["customer_tx_count_1d"] == stored["customer_tx_count_1d"]
    computed = {name: values[name].value for name in _ON_DEMAND}
    assert list(computed.values()) == [10, 2.5, 5, 5, 5, 1, 1]
    assert {values[name].status for name in _ON_DEMAND} == {FeatureStatus.PRESENT}
    assert {values[name].age_seconds for name in _ON_DEMAND} == {0.0}


def test_a_computed_null_is_null() -> None:
    plan = FeaturePlan.of(fraud.fraud_v1, fraud)
    stored = {
        name: FeatureValue(None, FeatureStatus.NOT_FOUND, None)
        for view in plan.stored.values()
        for name in view
    }
    values = plan.values(stored, {"amount_cents": 10, "transaction_time_us": 0})
    assert values["tx_amount_to_mean_30d"] == (None, FeatureStatus.NULL, 0.0)


def test_a_service_is_found_by_name() -> None:
    assert feature_services(fraud) == {"fraud_v1": fraud.fraud_v1, "fraud_v2": fraud.fraud_v2}


def test_a_view_that_the_module_lacks_is_named() -> None:
    empty = ModuleType("empty")
    with pytest.raises(DefinitionsError, match=r"'fraud_v1' names \['customer_windows'"):
        FeaturePlan.of(fraud.fraud_v1, empty)
