"""A hash of what the features of a service mean: it changes when their values may."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from feast import FeatureService, FeatureView, OnDemandFeatureView

from lockstep.stores.materialization import definition_of
from lockstep.stores.view_tags import max_age_us, tail_steps

# A view by its name: out of a registry, or of a module of definitions.
ViewOf = Callable[[str], FeatureView | OnDemandFeatureView]

# Tags of a service that say what is done about a status; see `contract.status_policy`.
POLICY_PREFIX = "on_"


def service_fingerprint(service: FeatureService, view_of: ViewOf) -> str:
    """SHA-256 in hex over the service's features in order, and all views behind them.

    Of a view: columns, types, keys, source, time to live and tags that mean something, such
    as the fingerprint of its windows. Of an on-demand view: columns, types, mode, what it
    reads and the text of its function. Of the service: what it does about a status.
    Descriptions, owners and other tags are left out.

    Raises:
        FeastObjectNotFoundException: what `view_of` raises for a view that it lacks.
    """
    told: list[Any] = [policy_tags(service)]
    for projection in service.feature_view_projections:
        features = [feature.name for feature in projection.features]
        told.append([projection.name_to_use(), features])
    meanings = view_meanings(service, view_of)
    return hashlib.sha256(json.dumps([told, meanings], sort_keys=True).encode()).hexdigest()


def view_meanings(service: FeatureService, view_of: ViewOf) -> dict[str, Any]:
    """What each view behind a service means, by its name, as plain values."""
    meanings: dict[str, Any] = {}
    for projection in service.feature_view_projections:
        view = view_of(projection.name)
        if isinstance(view, OnDemandFeatureView):
            meanings[view.name] = _on_demand(view)
            for source in view.source_feature_view_projections.values():
                meanings[source.name] = _view(view_of(source.name))
        else:
            meanings[view.name] = _view(view)
    return meanings


def policy_tags(service: FeatureService) -> dict[str, str]:
    """The tags of a service that say what is done about a status."""
    return {k: str(v) for k, v in (service.tags or {}).items() if k.startswith(POLICY_PREFIX)}


def _view(view: FeatureView) -> dict[str, Any]:
    return {
        "definition": definition_of(view),
        "ttl_seconds": view.ttl.total_seconds() if view.ttl else None,
        "max_age_us": max_age_us(view),
        "tail_steps": tail_steps(view),
        "window_spec": (view.tags or {}).get("window_spec"),
    }


def _on_demand(view: OnDemandFeatureView) -> dict[str, Any]:
    sources = view.source_feature_view_projections
    return {
        "features": [(field.name, str(field.dtype)) for field in view.features],
        "mode": view.mode,
        "columns": (view.tags or {}).get("columns"),
        "source": view.feature_transformation.udf_string,
        "reads": {name: [f.name for f in source.features] for name, source in sources.items()},
        "request": {name: str(kind) for name, kind in view.get_request_data_schema().items()},
    }
