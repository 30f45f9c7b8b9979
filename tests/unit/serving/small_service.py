"""A small service over one view and one on-demand function, to be changed piece by piece."""

from __future__ import annotations

from datetime import timedelta
from types import FunctionType, ModuleType
from typing import Any

from feast import (
    Entity,
    FeatureService,
    FeatureView,
    Field,
    RequestSource,
    ValueType,
)
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Int64

from feature_repo.step_view import step_view
from lockstep.windows.spec import Aggregation, WindowSpec
from serving.plan import ServicePlan
from serving.plan_compiler import service_plan

DAY = timedelta(days=1)
CARD = Entity(name="card", join_keys=["card_id"], value_type=ValueType.INT64)
SPEC = WindowSpec(
    name="card_windows",
    source="bank/payments",
    entity="card",
    entity_keys=("card_id",),
    windows=("1d",),
    aggregations=(Aggregation("count", what="tx"), Aggregation("sum", "cents")),
)
FEATURES = ("card_tx_count_1d", "card_cents_sum_1d")


def doubled(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"doubled": [2 * cents for cents in inputs["cents"]]}


def with_a_word_more(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"doubled": [2 * cents + 0 for cents in inputs["cents"]]}


def view(
    spec: WindowSpec = SPEC,
    *,
    ttl: timedelta = timedelta(0),
    max_age: timedelta = DAY,
    description: str = "",
) -> FeatureView:
    return step_view(spec, entity=CARD, max_age=max_age, description=description, ttl=ttl)


def request_view(
    function: FunctionType = doubled,
    *,
    output: Any = Int64,
    request: Any = Int64,
    description: str = "",
    **tags: str,
) -> Any:
    # A copy: Feast takes a function once, as it moves it to `__main__`.
    function = FunctionType(function.__code__, function.__globals__, function.__name__)
    source = RequestSource(name="payment", schema=[Field(name="cents", dtype=request)])
    return on_demand_feature_view(
        name="payment_features",
        sources=[source],
        schema=[Field(name="doubled", dtype=output)],
        mode="python",
        tags=tags,
        description=description,
    )(function)


def planned(
    stored: FeatureView | None = None,
    computed: Any = None,
    *,
    features: tuple[str, ...] = FEATURES,
    project: str = "cards",
    owner: str = "",
    description: str = "",
    tags: dict[str, str] | None = None,
) -> ServicePlan:
    """The plan of a small service, as a module would define it."""
    stored, computed = stored or view(), computed or request_view()
    module = ModuleType("definitions")
    module.__dict__.update(stored=stored, computed=computed)
    service = FeatureService(
        name="cards_v1",
        features=[stored[list(features)], computed],
        tags=tags or {},
        owner=owner,
        description=description,
    )
    return service_plan(project, service, module)


def typed(stored: FeatureView, name: str, dtype: Any) -> FeatureView:
    """The view with a feature of another type."""
    schema = [Field(name=f.name, dtype=dtype if f.name == name else f.dtype) for f in stored.schema]
    return FeatureView(
        name=stored.name,
        entities=[CARD],
        ttl=stored.ttl,
        schema=schema,
        source=stored.batch_source,
        tags=stored.tags,
    )
