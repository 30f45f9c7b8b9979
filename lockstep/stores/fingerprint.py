"""A hash of what the features of a service mean: it changes when their values may."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from feast import FeatureService, FeatureStore, FeatureView, OnDemandFeatureView

from lockstep.stores.materialization import definition_of
from lockstep.stores.view_tags import max_age_us, tail_steps


def service_fingerprint(store: FeatureStore, service: FeatureService) -> str:
    """SHA-256 in hex over the service's features in order, and the views behind them.

    Of a view: columns, types, keys, source, time to live and tags that mean something. Of an
    on-demand view: columns, types, mode and the text of its function. Descriptions, owners
    and other tags are left out.

    Raises:
        FeastObjectNotFoundException: a view of the service was not applied.
    """
    told: list[Any] = []
    for projection in service.feature_view_projections:
        view = store.registry.get_any_feature_view(projection.name, store.project)
        meaning = _on_demand(view) if isinstance(view, OnDemandFeatureView) else _view(view)
        features = [feature.name for feature in projection.features]
        told.append([projection.name_to_use(), features, meaning])
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _view(view: FeatureView) -> dict[str, Any]:
    return {
        "definition": definition_of(view),
        "ttl_seconds": view.ttl.total_seconds() if view.ttl else None,
        "max_age_us": max_age_us(view),
        "tail_steps": tail_steps(view),
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
