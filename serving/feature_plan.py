"""What a feature service needs at request time: views to read and functions to call.

Made from the installed definitions, never from the registry, whose content Feast would
execute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from feast import FeatureService, FeatureView, OnDemandFeatureView

from lockstep.contract.status import computed_status
from lockstep.stores.online_read import FeatureValue
from lockstep.windows.spec import VALID_UNTIL
from serving.errors import DefinitionsError

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class OnDemandFunction:
    """The function of an on-demand view: the very one that training calls."""

    features: tuple[str, ...]
    function: Callable[[Columns], Columns]

    def values(self, inputs: Columns) -> Iterator[tuple[str, FeatureValue]]:
        """The features of one request, computed now and therefore of age 0."""
        outputs = self.function(inputs)
        for name in self.features:
            (value,) = outputs[name]
            yield name, FeatureValue(value, computed_status(is_null=value is None), 0.0)


@dataclass(frozen=True)
class FeaturePlan:
    """The features that one service offers, in its order, and where they come from.

    `stored` names what is read of each view: what the service lists, and what its
    on-demand functions take.
    """

    features: tuple[str, ...]
    views: tuple[FeatureView, ...]
    stored: Mapping[str, tuple[str, ...]]
    on_demand: tuple[OnDemandFunction, ...]

    @classmethod
    def of(cls, service: FeatureService, definitions: ModuleType) -> FeaturePlan:
        """The plan of `service`, with the views of the module that defines it.

        Raises:
            DefinitionsError: the module lacks a view that the service names.
        """
        views = {view.name: view for view in _all(definitions, FeatureView)}
        on_demand = {view.name: view for view in _all(definitions, OnDemandFeatureView)}
        projections = service.feature_view_projections
        unknown = {projection.name for projection in projections} - {*views, *on_demand}
        if unknown:
            raise DefinitionsError.unknown_views(service.name, unknown)
        functions = [(p, on_demand[p.name]) for p in projections if p.name in on_demand]
        listed = [p for p in projections if p.name in views]
        inputs = [p for _, view in functions for p in _input_projections(view)]
        stored = _features_by_view([*listed, *inputs])
        return cls(
            features=tuple(name for p in projections for name in _names(p)),
            views=tuple(views[name] for name in stored),
            stored=stored,
            on_demand=tuple(
                OnDemandFunction(_names(p), view.feature_transformation.udf)
                for p, view in functions
            ),
        )

    def values(
        self, stored: Mapping[str, FeatureValue], request_values: Mapping[str, Any]
    ) -> dict[str, FeatureValue]:
        """Every feature of one request: those that were read and those computed from them."""
        inputs: Columns = {name: [feature.value] for name, feature in stored.items()}
        inputs |= {name: [value] for name, value in request_values.items()}
        values = dict(stored)
        for function in self.on_demand:
            values.update(function.values(inputs))
        return values


def feature_services(definitions: ModuleType) -> dict[str, FeatureService]:
    """The feature services that a module of definitions declares, by name."""
    return {service.name: service for service in _all(definitions, FeatureService)}


def _all(definitions: ModuleType, kind: type) -> Iterator[Any]:
    return (value for value in vars(definitions).values() if isinstance(value, kind))


def _input_projections(view: OnDemandFeatureView) -> Sequence[Any]:
    return tuple(view.source_feature_view_projections.values())


def _features_by_view(projections: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    names: dict[str, dict[str, None]] = {}
    for projection in projections:
        names.setdefault(projection.name, {}).update(dict.fromkeys(_names(projection)))
    return {view: tuple(features) for view, features in names.items()}


def _names(projection: Any) -> tuple[str, ...]:
    """What a projection lists; a step's validity is read with every view and is no feature."""
    return tuple(f.name for f in projection.features if f.name != VALID_UNTIL)
