"""What was served as rows of the feature log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from lockstep.contract.registered_model import RegisteredModel
from serving.plan import ServicePlan
from serving.scorer import Asked, Scored
from serving.served_rows import LoggedFeature, LogSchema, ServedRows


@lru_cache(maxsize=64)
def _schema(use_case: str, service: str, columns: Any, features: Any, keys: Any) -> LogSchema:
    computed = {f"{view}__{name}" for name, view, _ in features}
    request = tuple(name for name, _ in columns if name not in computed and name not in keys)
    logged = tuple(LoggedFeature(name, f"{view}__{name}", kind) for name, view, kind in features)
    return LogSchema(use_case, service, keys, request, logged, columns)


def log_schema(use_case: str, plan: ServicePlan) -> LogSchema:
    """The log's columns for a service."""
    keys = tuple(
        dict.fromkeys(k.column for key in plan.reads.keys for k in key.join_keys if k.column)
    )
    features = tuple((feature.name, feature.view, feature.type) for feature in plan.features)
    return _schema(use_case, plan.name, plan.log_columns, features, keys)


def served_rows(
    schema: LogSchema,
    served: RegisteredModel,
    alias: Any,
    asked: Asked,
    scored: Scored,
    *,
    request_ids: Sequence[str],
    logged_us: int,
    decisions: Sequence[str],
) -> ServedRows:
    """A batch as the log takes it; the event times of what was read are not known here."""
    artefact = served.predictor.artefact
    read = scored.read
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
        event_us=np.full(read.codes.shape, -1, np.int64),
        scores=scored.scores,
        decisions=decisions,
    )
