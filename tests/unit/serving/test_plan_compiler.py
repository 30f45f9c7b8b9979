"""The serving plan: what it holds of the definitions, its file, and when a fingerprint changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import msgspec
import pytest
from feast import (
    Entity,
    FeatureService,
    FeatureView,
    Field,
    OnDemandFeatureView,
    RequestSource,
    ValueType,
)
from feast.feature_logging import FeatureServiceLoggingSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions import fraud, fraud_daily
from feature_repo.step_view import step_view
from feature_repo.windows.fraud import CUSTOMER_WINDOWS
from lockstep.contract.status_policy import StatusPolicyError
from lockstep.settings import Settings
from lockstep.stores.errors import ReadPlanError
from lockstep.windows.spec import VALID_UNTIL, Aggregation, WindowSpec
from serving.errors import DefinitionsError
from serving.plan import PlannedFunction, ServicePlan, ServingPlan, plan_of, sources_hash
from serving.plan_compiler import service_plan, serving_plan
from serving.settings import ServingSettings

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
STORED_BYTES = ServingPlan(
    "h", {"fraud": {"fraud_v2": service_plan("cards", fraud.fraud_v2, fraud)}}
)


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


CHANGES: dict[str, Callable[[], ServicePlan]] = {
    "a window": lambda: planned(view(replace(SPEC, resolution="1h"))),
    "an aggregation's filter": lambda: planned(
        view(replace(SPEC, aggregations=(replace(SPEC.aggregations[0], where="ok"), SPEC.parts[1])))
    ),
    "the source of the windows": lambda: planned(view(replace(SPEC, source="bank/refunds"))),
    "ttl": lambda: planned(view(ttl=DAY)),
    "max age": lambda: planned(view(max_age=2 * DAY)),
    "a stored feature's type": lambda: planned(typed(view(), FEATURES[0], Float64)),
    "a computed feature's type": lambda: planned(computed=request_view(output=Float64)),
    "a request column's type": lambda: planned(computed=request_view(request=Float64)),
    "the function's text": lambda: planned(computed=request_view(with_a_word_more)),
    "what the function is handed": lambda: planned(computed=request_view(columns="numpy")),
    "the order of features": lambda: planned(features=FEATURES[::-1]),
    "a feature less": lambda: planned(features=FEATURES[:1]),
    "a policy": lambda: planned(tags={"on_stale": "reject"}),
    "a default": lambda: planned(tags={"on_null": "0"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_fingerprint_changes_with(what: str) -> None:
    assert CHANGES[what]().fingerprint != planned().fingerprint


def test_every_such_change_is_another_fingerprint() -> None:
    found = [planned().fingerprint, *(change().fingerprint for change in CHANGES.values())]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "same",
    [
        lambda: planned(),
        lambda: planned(view(description="Payments of a card.")),
        lambda: planned(computed=request_view(description="Twice the amount.")),
        lambda: planned(computed=request_view(team="risk")),
        lambda: planned(owner="risk", description="What the model reads."),
        lambda: planned(tags={"stage": "live"}),
        lambda: planned(project="others"),
    ],
)
def test_a_fingerprint_says_nothing_of_words_and_people(same: Callable[[], ServicePlan]) -> None:
    assert same().fingerprint == planned().fingerprint


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
    assert (function.module, function.name) == (__name__, "doubled")
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


def _settings(folder: Path, project: str = "cards") -> ServingSettings:
    (folder / "feature_repo").mkdir(parents=True, exist_ok=True)
    text = f"project: {project}\nonline_store: {{type: x}}\n"
    (folder / "feature_repo" / "feature_store.yaml").write_text(text)
    return ServingSettings(project=Settings(project_dir=folder, home=None))


def test_the_plan_of_all_services_reads_back_equal(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    plan = serving_plan(settings)
    assert set(plan.use_cases["fraud"]) == {"fraud_v1", "fraud_v2"}
    assert ServingPlan.read(settings.plan_path) is None
    plan.write(settings.plan_path)
    assert ServingPlan.read(settings.plan_path) == plan
    assert [path.name for path in settings.plan_path.parent.iterdir()] == ["serving_plan.json"]


def test_a_plan_that_was_used_reads_back_equal_too(tmp_path: Path) -> None:
    plan = STORED_BYTES
    for service in plan.use_cases["fraud"].values():
        assert service.computed
        assert service.reads.views
        assert service.reads.keys[0].command({"customer_id": 1, "terminal_id": 1})
    plan.write(tmp_path / "plan.json")
    assert ServingPlan.read(tmp_path / "plan.json") == plan


@given(st.data())
def test_a_damaged_file_never_stops_a_server(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    STORED_BYTES.write(path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(content[:place])
        assert ServingPlan.read(path) is None
        return
    content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    found = ServingPlan.read(path)
    assert found is None or isinstance(found, ServingPlan)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b'"\xff"', b"null"])
def test_what_is_no_plan_reads_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    assert ServingPlan.read(tmp_path / "plan.json") is None


@pytest.mark.parametrize("field", ["fingerprint", "policy", "log_columns", "reads"])
def test_a_file_of_an_older_version_reads_as_none(tmp_path: Path, field: str) -> None:
    content = msgspec.json.decode(msgspec.json.encode(STORED_BYTES))
    del content["use_cases"]["fraud"]["fraud_v2"][field]
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(content))
    assert ServingPlan.read(tmp_path / "plan.json") is None


def test_the_sources_hash_is_of_the_project_and_of_the_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = _settings(tmp_path / "a"), _settings(tmp_path / "b", "others")
    assert sources_hash(ours) == sources_hash(_settings(tmp_path / "c"))
    assert sources_hash(ours) != sources_hash(theirs)
    installed = tmp_path / "installed"
    (installed / "windows").mkdir(parents=True)
    for name in ("__init__.py", "windows/fraud.py"):
        (installed / name).write_text("")
    monkeypatch.setattr("feature_repo.__file__", str(installed / "__init__.py"))
    hashes = [sources_hash(ours)]
    (installed / "windows" / "fraud.py").write_text("WINDOW = 1\n")
    hashes.append(sources_hash(ours))
    (installed / "windows" / "fraud.py").rename(installed / "windows" / "cards.py")
    hashes.append(sources_hash(ours))
    (installed / "notes.txt").write_text("not code")
    assert len(set(hashes)) == 3
    assert sources_hash(ours) == hashes[-1]


def test_a_server_compiles_what_it_lacks_and_keeps_what_fits(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    plan = plan_of(settings)
    assert plan.made_of == sources_hash(settings)
    assert plan == serving_plan(settings)
    kept = replace(plan, use_cases={})
    kept.write(settings.plan_path)
    assert plan_of(settings) == kept
    replace(kept, made_of="older").write(settings.plan_path)
    assert plan_of(settings) == plan


def test_a_worker_imports_no_feast_no_mlflow_and_no_spark() -> None:
    heavy = "{name.partition('.')[0] for name in sys.modules} & {'feast', 'mlflow', 'pyspark'}"
    script = f"import serving.worker, sys; print(sorted({heavy}))"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_a_use_case_without_definitions_is_not_served(tmp_path: Path) -> None:
    installed = Path(__file__).parents[3] / "feature_repo"
    ignored = shutil.ignore_patterns("clicks.py", "__pycache__")
    shutil.copytree(installed, tmp_path / "feature_repo", ignore=ignored)
    script = "from serving.use_cases import USE_CASES; print(*USE_CASES)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "fraud" in ended.stdout.split()
    assert "clicks" not in ended.stdout.split()
