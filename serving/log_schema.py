"""What was served as rows of the feature log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockstep.contract.registered_model import RegisteredModel
from serving.plan import ServicePlan
from serving.rows import Asked, Scored
from serving.served_rows import LoggedFeature, LogSchema, ServedRows


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
    schema: LogSchema,
    served: RegisteredModel,
    alias: Any,
    asked: Asked,
    scored: Scored,
    *,
    request_ids: Sequence[str],
    logged_us: int,
    decisions: Sequence[str | None],
) -> ServedRows:
    """A batch as the log takes it."""
    artefact, read = served.predictor.artefact, scored.read
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
        event_us=read.event_us,
        scores=scored.scores,
        decisions=decisions,
        outputs=scored.outputs if artefact.target.width > 1 else None,
    )
