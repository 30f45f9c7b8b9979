"""Makes the serving plan out of the installed definitions: `python -m serving.plan_compiler`.

From the installed modules, never from the registry, whose content Feast would execute.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from feast import FeatureService, FeatureView, OnDemandFeatureView

from lockstep.contract.status_policy import StatusPolicy
from lockstep.errors import LockstepError
from lockstep.stores.fingerprint import policy_tags, service_fingerprint
from lockstep.stores.on_demand import takes_columns
from lockstep.stores.plan_compiler import read_plan
from lockstep.windows.spec import VALID_UNTIL
from serving.catalog import Catalog
from serving.errors import DefinitionsError
from serving.plan import (
    PlannedFeature,
    PlannedFunction,
    ServicePlan,
    ServingPlan,
    sources_hash,
)
from serving.settings import ServingSettings
from serving.use_cases import USE_CASES

DEFINITIONS = "feature_repo.definitions"


def serving_plan(settings: ServingSettings) -> ServingPlan:
    """The plan of every service of every use case.

    Raises:
        DefinitionsError: feature_store.yaml cannot be used, or a service names a view that
            its module lacks.
        ReadPlanError, StatusPolicyError: as `service_plan`.
    """
    project = Catalog.load(settings.project).project
    use_cases = {
        name: {
            service.name: service_plan(project, service, definitions)
            for service in defined(definitions, FeatureService)
        }
        for name in USE_CASES
        for definitions in (import_module(f"{DEFINITIONS}.{name}"),)
    }
    return ServingPlan(sources_hash(settings), use_cases)


def service_plan(project: str, service: FeatureService, definitions: ModuleType) -> ServicePlan:
    """The plan of one service, with the views of the module that defines it.

    Raises:
        DefinitionsError: the module lacks a view that the service names.
        ReadPlanError: a view cannot be read by keys; see `read_plan`.
        StatusPolicyError: the tags of the service say nothing that is understood.
    """
    views = {view.name: view for view in defined(definitions, FeatureView)}
    on_demand = {view.name: view for view in defined(definitions, OnDemandFeatureView)}
    projections = service.feature_view_projections
    functions = [(p, on_demand[p.name]) for p in projections if p.name in on_demand]
    inputs = [p for _, v in functions for p in v.source_feature_view_projections.values()]
    if unknown := {p.name for p in (*projections, *inputs)} - {*views, *on_demand}:
        raise DefinitionsError.unknown_views(service.name, unknown)
    read = _names_by_view([*(p for p in projections if p.name in views), *inputs])
    reads = read_plan(project, [views[name] for name in read], read)
    known = {
        f.name: (view, f) for view in read for f in views[view].features if f.name in read[view]
    }
    StatusPolicy.of(policy_tags(service))
    return ServicePlan(
        name=service.name,
        fingerprint=service_fingerprint(service, {**views, **on_demand}.__getitem__),
        features=tuple(
            _feature(projection.name, field)
            for projection in projections
            for field in projection.features
            if field.name != VALID_UNTIL
        ),
        stored=tuple(_feature(*known[name]) for name in reads.read_features),
        reads=reads,
        functions=tuple(_function(projection, view) for projection, view in functions),
        policy=policy_tags(service),
        log_columns=tuple(_log_columns(projections, {**views, **on_demand}).items()),
    )


def _log_columns(projections: Sequence[Any], views: Mapping[str, Any]) -> dict[str, str]:
    """Names and types as Feast's FeatureServiceLoggingSource has them, in its order."""
    columns: dict[str, str] = {}
    for projection in projections:
        view = views[projection.name]
        if isinstance(view, OnDemandFeatureView):
            columns |= {name: str(t) for name, t in _request_types(view).items()}
        else:
            keys = projection.join_key_map
            columns |= {keys.get(c.name, c.name): str(c.dtype) for c in view.entity_columns}
        columns |= {
            f"{projection.name_to_use()}__{field.name}": str(field.dtype)
            for field in projection.features
        }
    return columns


def _request_types(view: OnDemandFeatureView) -> dict[str, Any]:
    sources = view.source_request_sources.values()
    return {field.name: field.dtype for source in sources for field in source.schema}


def _feature(view: str, field: Any) -> PlannedFeature:
    return PlannedFeature(field.name, view, str(field.dtype), field.description)


def _function(projection: Any, view: OnDemandFeatureView) -> PlannedFunction:
    function = view.feature_transformation.udf
    # Not `__module__`: Feast says `__main__` there.
    module = inspect.getmodule(function.__code__)
    if module is None:
        raise DefinitionsError.lost_function(view.name, "?", function.__qualname__)
    return PlannedFunction(
        view=view.name,
        features=tuple(field.name for field in projection.features),
        module=module.__name__,
        name=function.__qualname__,
        takes_columns=takes_columns(view),
    )


def defined(definitions: ModuleType, kind: type) -> Iterator[Any]:
    """What a module of definitions has of one kind."""
    return (value for value in vars(definitions).values() if isinstance(value, kind))


def _names_by_view(projections: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    """What is read of each view; a step's validity is read with every view and is no feature."""
    names: dict[str, dict[str, None]] = {}
    for projection in projections:
        listed = (field.name for field in projection.features if field.name != VALID_UNTIL)
        names.setdefault(projection.name, {}).update(dict.fromkeys(listed))
    return {view: tuple(features) for view, features in names.items()}


def main() -> int:
    """Writes the plan of the project to its file; says in one line why it cannot."""
    settings = ServingSettings()
    try:
        serving_plan(settings).write(settings.plan_path)
    except LockstepError as error:
        print(error, file=sys.stderr)  # noqa: T201  for the process that started this one
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
