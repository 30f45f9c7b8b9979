"""What was scored as the answers' JSON: plain values, encoded once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from lockstep.contract.targets import QuantileTarget
from serving.errors import ServingError
from serving.fresh_row import FreshRow
from serving.outcomes import outcomes
from serving.plan import PlannedFeature
from serving.rows import Asked, Read, Scored
from serving.schemas import PredictRequest
from serving.scorer import Scorer
from serving.use_case import UseCase

Document = dict[str, Any]


@dataclass(frozen=True)
class Asking:
    """One request, T, and the id that it was given."""

    request: PredictRequest
    t: datetime
    t_us: int
    request_id: str


@dataclass(frozen=True)
class Answers:
    """The answers of one use case by one model."""

    use_case: UseCase
    scorer: Scorer

    def predictions(
        self, askings: Sequence[Asking], scored: Scored
    ) -> list[Document | ServingError]:
        """The documents of `Prediction`, or why a row was refused, in the order of the rows."""
        target, own_fields = self.scorer.served.predictor.artefact.target, self.use_case.own_fields
        model = msgspec.Raw(msgspec.json.encode(self.model))
        flags = self.scorer.policy.flags(scored.read.codes[:, self.scorer.listed_stored])
        told = outcomes(target, self.use_case.events, scored)
        features = self.scorer.model_json.rows(scored.read)
        return [
            scored.refused.get(row)
            or {
                **own_fields(asking.request),
                "request_id": asking.request_id,
                "event_timestamp": asking.t,
                **told[row],
                "model": model,
                "flags": flags.get(row, ()),
                "features": features[row],
            }
            for row, asking in enumerate(askings)
        ]

    def stored(self, t: datetime, read: Read) -> Document:
        """The document of `StoredFeatures` for the only row that was read."""
        (features,) = self.scorer.stored_json.rows(read)
        return {"event_timestamp": t, "features": features}

    def explanation(self, prediction: Document, scored: Scored, shap: Sequence[float]) -> Document:
        """The document of `Explanation`; `shap` is as `shap_values` has it."""
        *contributions, base = shap
        features = [feature for _, feature in self.scorer.shown]
        row = self.scorer.model_rows(scored.read)[0].tolist()
        reasons: list[Document] = [
            {
                "feature": feature.name,
                "value": (value := _plain(number, is_whole=feature.is_whole)),
                "contribution": contribution,
                "words": _words(feature, value, contribution),
            }
            for feature, number, contribution in zip(features, row, contributions, strict=True)
        ]
        reasons.sort(key=lambda reason: -abs(reason["contribution"]))
        return {"prediction": prediction, "base": base, "reasons": reasons}

    @property
    def model(self) -> Document:
        """The document of `ServedBy`."""
        artefact = self.scorer.served.predictor.artefact
        return {
            "name": self.scorer.served.name,
            "version": self.scorer.served.version,
            "feature_service": artefact.feature_service,
            "fingerprint": artefact.fingerprint,
        }


def columns_of(askings: Sequence[Asking], *, with_fresh: bool = False) -> Asked:
    """The requests as columns, with the rows that they bring where they may."""
    values = [asking.request.request_values(asking.t_us) for asking in askings]
    return Asked(
        [asking.request.entity_ids() for asking in askings],
        {name: [value[name] for value in values] for name in values[0]},
        [asking.t_us for asking in askings],
        _fresh(askings) if with_fresh else {},
    )


def _fresh(askings: Sequence[Asking]) -> dict[int, FreshRow]:
    rows = ((number, asking.request.fresh_row()) for number, asking in enumerate(askings))
    return {number: row for number, row in rows if row is not None}


def _plain(number: float, *, is_whole: bool) -> float | int | None:
    if not math.isfinite(number):
        return None
    return int(number) if is_whole else number


def _words(feature: PlannedFeature, value: float | int | None, contribution: float) -> str:
    shown = "unknown" if value is None else f"{value:g}" if isinstance(value, float) else value
    what = feature.description or feature.name.replace("_", " ")
    if math.isclose(contribution, 0, abs_tol=5e-3):
        return f"{what} is {shown}: hardly matters"
    return f"{what} is {shown}: {'raises' if contribution > 0 else 'lowers'} the score"


def shap_values(scorer: Scorer, scored: Scored) -> list[float]:
    """SHAP values of the first row in the model's order, then the base.

    Log-odds of two classes. Of several classes those of the one that was decided for, of
    quantiles those of the median, in the units that the model was fitted in.

    Source: Lundberg et al., Consistent individualized feature attribution (2018), as CatBoost
    computes it.
    """
    from catboost import Pool

    predictor = scorer.served.predictor
    order = predictor.artefact.feature_order
    pool = Pool(scorer.model_rows(scored.read)[:1], feature_names=list(order))
    found = predictor.model.get_feature_importance(pool, type="ShapValues", thread_count=1)
    row = np.asarray(found, np.float64)[0]
    target = predictor.artefact.target
    if target.width > 1:
        row = row[target.median if isinstance(target, QuantileTarget) else scored.decided[0]]
    values: list[float] = row.tolist()
    return values
