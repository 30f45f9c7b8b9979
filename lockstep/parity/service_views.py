"""The views behind a feature service, as its log and its joins call their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockstep.parity.errors import AuditError

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore, FeatureView, OnDemandFeatureView


@dataclass(frozen=True)
class ListedView:
    """Features of one view that a service lists, by the name that the service has for the view.

    The values of an on-demand view are computed for each request, from those of the stored
    views that `inputs` names.
    """

    name: str
    features: tuple[str, ...]
    is_computed: bool = False
    inputs: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The features' columns."""
        return [f"{self.name}__{feature}" for feature in self.features]


@dataclass(frozen=True)
class ServiceViews:
    """A service's views in its order, and all stored views that stand behind them by name."""

    service: FeatureService
    listed: tuple[ListedView, ...]
    stored: Mapping[str, FeatureView]

    @classmethod
    def of(cls, store: FeatureStore, service: str) -> ServiceViews:
        """Those of a registered service.

        Raises:
            AuditError: it was not applied, or is no longer.
        """
        from feast import OnDemandFeatureView
        from feast.errors import FeastObjectNotFoundException

        try:
            found = store.get_feature_service(service)
            views = {
                projection.name: store.registry.get_any_feature_view(projection.name, store.project)
                for projection in found.feature_view_projections
            }
            stored: dict[str, FeatureView] = {}
            listed = []
            for projection in found.feature_view_projections:
                view = views[projection.name]
                is_computed = isinstance(view, OnDemandFeatureView)
                inputs = _inputs(store, view) if is_computed else {}
                if not is_computed:
                    stored[projection.name_to_use()] = view.with_projection(projection)
                stored = inputs | stored
                names = tuple(feature.name for feature in projection.features)
                listed.append(
                    ListedView(projection.name_to_use(), names, is_computed, tuple(inputs))
                )
        except FeastObjectNotFoundException as error:
            raise AuditError.no_service(service) from error
        return cls(found, tuple(listed), stored)

    @property
    def features(self) -> list[str]:
        """The names of the features, in the order of the service and of its log."""
        return [feature for view in self.listed for feature in view.features]

    def position(self, name: str) -> int:
        """Where the first feature of a listed view stands in `features`."""
        places = {}
        place = 0
        for view in self.listed:
            places[view.name] = place
            place += len(view.features)
        return places[name]

    @property
    def listed_stored(self) -> list[ListedView]:
        """The listed views whose values are stored."""
        return [view for view in self.listed if not view.is_computed]

    def stored_alone(self) -> ServiceViews:
        """The same service without what is computed for each request."""
        listed = tuple(self.listed_stored)
        return replace(self, listed=listed, stored={v.name: self.stored[v.name] for v in listed})

    def stored_whole(self) -> ServiceViews:
        """All features of all stored views behind the service, listed or not."""
        listed = tuple(
            ListedView(name, tuple(feature.name for feature in view.features))
            for name, view in self.stored.items()
        )
        return replace(self, listed=listed)

    def alone(self, name: str) -> ServiceViews:
        """All features of one of the stored views."""
        whole = self.stored_whole()
        listed = tuple(view for view in whole.listed if view.name == name)
        return replace(whole, listed=listed, stored={name: self.stored[name]})

    @property
    def asked(self) -> FeatureService | list[str]:
        """What Feast is asked for: the service, or some of its features by name."""
        if {view.name: view.features for view in self.listed} == {
            projection.name_to_use(): tuple(feature.name for feature in projection.features)
            for projection in self.service.feature_view_projections
        }:
            return self.service
        return [f"{view.name}:{feature}" for view in self.listed for feature in view.features]

    @property
    def computed(self) -> list[ListedView]:
        """The listed views whose values are computed for each request."""
        return [view for view in self.listed if view.is_computed]


def _inputs(store: FeatureStore, view: OnDemandFeatureView) -> dict[str, FeatureView]:
    """The stored views that an on-demand view reads; none where it reads the request alone."""
    return {
        projection.name_to_use(): store.get_feature_view(projection.name).with_projection(
            projection
        )
        for projection in view.source_feature_view_projections.values()
    }
