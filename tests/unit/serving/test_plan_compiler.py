"""The serving plan: what it holds of the definitions, its file, and when a fingerprint changes."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from feast import (
    FeatureService,
    FeatureView,
    Field,
    OnDemandFeatureView,
)
from feast.feature_logging import FeatureServiceLoggingSource
from feast.types import Int64
from small_service import FEATURES, doubled, planned, view

from feature_repo.definitions import fraud, fraud_daily
from feature_repo.windows.fraud import CUSTOMER_WINDOWS
from lockstep.contract.status_policy import StatusPolicyError
from lockstep.stores.errors import ReadPlanError
from lockstep.windows.spec import VALID_UNTIL
from serving.errors import DefinitionsError
from serving.plan import PlannedFunction
from serving.plan_compiler import service_plan


def test_a_plan_has_the_services_features_in_order_and_what_is_read_for_them() -> None:
    plan = service_plan("cards", fraud.fraud_v1, fraud)
    listed = [
        feature.name
        for projection in fraud.fraud_v1.feature_view_projections
        for feature in projection.features
    ]
    assert [feature.name for feature in plan.features] == listed
    assert [feature.name for feature in plan.stored] == list(plan.reads.read_features)
    assert plan.computed == {f.name for f in fraud.transaction_features.features}
    kinds = {feature.name: (feature.view, feature.type) for feature in plan.features}
    assert kinds["customer_tx_count_1d"] == ("customer_windows", "Int64")
    assert kinds["tx_amount_to_mean_30d"] == ("transaction_features", "Float64")
    whole = {feature.name for feature in plan.features if feature.is_whole}
    assert "customer_tx_count_1d" in whole
    assert "tx_amount_to_mean_30d" not in whole


def test_the_inputs_of_a_function_are_read_even_where_the_service_lacks_them() -> None:
    slim = FeatureService(name="slim", features=[fraud.transaction_features])
    plan = service_plan("cards", slim, fraud)
    assert {feature.name for feature in plan.features} == plan.computed
    assert {feature.name for feature in plan.stored} == set(CUSTOMER_WINDOWS.features())
    assert [read.name for read in plan.reads.views] == ["customer_windows"]


def test_a_steps_validity_is_no_feature() -> None:
    stored = view()
    plan = planned(stored, features=(*FEATURES, VALID_UNTIL))
    assert [feature.name for feature in plan.features] == [*FEATURES, "doubled"]
    assert [feature.name for feature in plan.stored] == list(FEATURES)


class Registry:
    """What Feast's logging schema asks of a registry."""

    def __init__(self, *views: Any) -> None:
        self._views = {view.name: view for view in views}

    def get_feature_view(self, name: str, project: str, allow_cache: bool) -> Any:
        return self._views[name]


@pytest.mark.parametrize("service", [fraud.fraud_v1, fraud.fraud_v2])
def test_the_log_has_the_columns_of_feasts_logging_schema(service: FeatureService) -> None:
    kinds = (FeatureView, OnDemandFeatureView)
    registry: Any = Registry(*(v for v in vars(fraud).values() if isinstance(v, kinds)))
    schema = FeatureServiceLoggingSource(service, "cards").get_schema(registry)
    # Feast's own columns, and two beside each feature, are the log's business.
    own = ("__timestamp", "__status")
    expected = [name for name in schema.names if name[:2] != "__" and not name.endswith(own)]
    columns = service_plan("cards", service, fraud).log_columns
    assert [name for name, _ in columns] == expected
    arrow = {"Int64": "int64", "Float64": "double"}
    assert [arrow[kind] for _, kind in columns] == [str(schema.field(n).type) for n in expected]


@pytest.mark.parametrize("tags", [{"on_null": "maybe"}, {"on_future": "score"}])
def test_tags_that_say_nothing_are_refused_when_the_plan_is_made(tags: dict[str, str]) -> None:
    with pytest.raises(StatusPolicyError):
        planned(tags=tags)


def test_a_plan_keeps_the_services_policy_and_no_other_tag() -> None:
    assert planned(tags={"on_null": "0", "stage": "live"}).policy == {"on_null": "0"}


def test_a_view_that_the_module_lacks_is_named() -> None:
    with pytest.raises(DefinitionsError, match=r"'fraud_v1' names \['customer_windows'"):
        service_plan("cards", fraud.fraud_v1, ModuleType("empty"))


def test_a_view_without_entities_is_refused_by_name() -> None:
    limits = FeatureView(
        name="limits",
        entities=[],
        schema=[Field(name="most_cents", dtype=Int64)],
        source=view().batch_source,
    )
    definitions = ModuleType("definitions")
    definitions.__dict__.update(cards=view(), limits=limits)
    service = FeatureService(name="cards_v1", features=[definitions.cards, limits])
    with pytest.raises(ReadPlanError, match=r"the view 'limits' has no entity .*; give it one"):
        service_plan("cards", service, definitions)


@pytest.mark.parametrize("definitions", [fraud, fraud_daily])
def test_functions_are_named_by_the_module_that_defines_them_and_load(
    definitions: ModuleType,
) -> None:
    services = [v for v in vars(definitions).values() if isinstance(v, FeatureService)]
    functions = [f for s in services for f in service_plan("cards", s, definitions).functions]
    assert functions
    for function in functions:
        assert function.module.startswith("feature_repo.on_demand.")
        declared = getattr(import_module(function.module), function.name)
        assert function.load() is declared
        assert function.takes_columns


def test_a_function_of_a_test_is_found_too() -> None:
    (function,) = planned().functions
    assert (function.module, function.name) == ("small_service", "doubled")
    assert function.load() is doubled
    assert not function.takes_columns


@pytest.mark.parametrize(
    ("module", "name"),
    [("feature_repo.on_demand.gone", "f"), ("feature_repo.on_demand.fraud", "gone")],
)
def test_a_function_that_is_not_installed_is_named(module: str, name: str) -> None:
    function = PlannedFunction("v", ("f",), module, name, takes_columns=True)
    with pytest.raises(DefinitionsError, match=rf"'v', {module}\.{name}, is not installed"):
        function.load()
