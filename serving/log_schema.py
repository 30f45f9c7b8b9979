"""What was served as rows of the feature log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lockstep.stores.feature_vectors import NO_TIME
from serving.plan import ServicePlan
from serving.served_rows import LoggedFeature, LogSchema, ServedRows

if TYPE_CHECKING:
    from serving.scorer import Asked, Scored, Scorer


def log_schema(use_case: str, plan: ServicePlan) -> LogSchema:
    """The log's columns for a service."""
    keys = tuple(
        dict.fromkeys(k.column for key in plan.reads.keys for k in key.join_keys if k.column)
    )
    features = tuple(LoggedFeature(f.name, f"{f.view}__{f.name}", f.type) for f in plan.features)
    computed = {feature.column for feature in features}
    given = (name for name, _ in plan.log_columns if name not in computed and name not in keys)
    return LogSchema(use_case, plan.name, keys, tuple(given), features, plan.log_columns)


def served_rows(
    scorer: Scorer,
    alias: Any,
    asked: Asked,
    scored: Scored,
    *,
    request_ids: Sequence[str],
    logged_us: int,
    decisions: Sequence[str],
) -> ServedRows:
    """A batch as the log takes it."""
    served, schema, read = scorer.served, scorer.log_schema, scored.read
    artefact = served.predictor.artefact
    return ServedRows(
        schema=schema,
        model_name=served.name,
        model_version=served.version,
        alias=alias,
        fingerprint=artefact.fingerprint,
        threshold=artefact.threshold,
        request_ids=request_ids,
        t_us=asked.t_us,
        logged_us=logged_us,
        entity_ids={key: [ids[key] for ids in asked.entities] for key in schema.join_keys},
        request_values=asked.request,
        values=read.values,
        codes=read.codes,
        ages=read.ages,
        event_us=_event_us(read.event_us, scorer.places_of_views),
        scores=scored.scores,
        decisions=decisions,
    )


def _event_us(of_views: NDArray[np.int64], places: NDArray[np.intp]) -> NDArray[np.int64]:
    """The event times of views for each feature; one that was computed has none."""
    rows, views = of_views.shape
    padded = np.full((rows, views + 1), NO_TIME)
    padded[:, :views] = of_views
    return padded.take(places, axis=1)
