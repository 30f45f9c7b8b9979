"""What was scored as the answers' JSON: plain values, encoded once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from lockstep.stores.feature_vectors import STATUSES
from serving.plan import PlannedFeature
from serving.schemas import PredictRequest
from serving.scorer import Read, Scored, Scorer
from serving.use_case import UseCase

Document = dict[str, Any]

# A feature's column, its name, and whether it is a whole number.
Shown = tuple[int, str, bool]

_STATUS_NAMES = tuple(status.value for status in STATUSES)


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

    def prediction(self, asking: Asking, scored: Scored, row: int) -> Document:
        """The document of `Prediction` for a row that was scored."""
        score = float(scored.scores[row])
        predictor = self.scorer.served.predictor
        read = scored.read
        codes = read.codes[row].tolist()
        stored = [codes[column] for column in self._stored_columns]
        return {
            **self.use_case.own_fields(asking.request),
            "request_id": asking.request_id,
            "event_timestamp": asking.t,
            "score": score,
            "decision": self.use_case.events.decision(predictor.is_positive(score)),
            "threshold": predictor.artefact.threshold,
            "model": self.model,
            "flags": self.scorer.policy.flags(stored),
            "features": _features(read, row, self._shown),
        }

    def stored(self, t: datetime, read: Read) -> Document:
        """The document of `StoredFeatures` for the only row that was read."""
        features = _features(read, 0, _shown(enumerate(read.features)))
        for feature in read.features:
            features[feature.name]["view"] = feature.view
        return {"event_timestamp": t, "features": features}

    def explanation(self, prediction: Document, scored: Scored, shap: Sequence[float]) -> Document:
        """The document of `Explanation`; `shap` is as `shap_values` has it."""
        *contributions, base = shap
        features = [feature for _, feature in self._columns]
        reasons = [
            {
                "feature": feature.name,
                "value": (value := prediction["features"][feature.name]["value"]),
                "contribution": contribution,
                "words": _words(feature, value, contribution),
            }
            for feature, contribution in zip(features, contributions, strict=True)
        ]
        reasons.sort(key=lambda reason: -abs(reason["contribution"]))
        return {"prediction": prediction, "base": base, "reasons": reasons}

    @cached_property
    def model(self) -> Document:
        """The document of `ServedBy`."""
        artefact = self.scorer.served.predictor.artefact
        return {
            "name": self.scorer.served.name,
            "version": self.scorer.served.version,
            "feature_service": artefact.feature_service,
            "fingerprint": artefact.fingerprint,
        }

    @cached_property
    def _shown(self) -> list[Shown]:
        return _shown(self._columns)

    @cached_property
    def _columns(self) -> list[tuple[int, PlannedFeature]]:
        """The model's features in its order, and their columns."""
        columns = {
            feature.name: (c, feature) for c, feature in enumerate(self.scorer.plan.features)
        }
        order = self.scorer.served.predictor.artefact.feature_order
        return [columns[name] for name in order]

    @cached_property
    def _stored_columns(self) -> list[int]:
        columns: list[int] = self.scorer.listed_stored.tolist()
        return columns


def _shown(features: Iterable[tuple[int, PlannedFeature]]) -> list[Shown]:
    return [(column, feature.name, feature.is_whole) for column, feature in features]


def _features(read: Read, row: int, shown: Sequence[Shown]) -> Document:
    values, ages = read.values[row].tolist(), read.ages[row].tolist()
    codes = read.codes[row].tolist()
    features = {}
    for column, name, is_whole in shown:
        value, age = values[column], ages[column]
        features[name] = {
            "value": None if value != value else int(value) if is_whole else value,
            "status": _STATUS_NAMES[codes[column]],
            "age_seconds": None if age != age else age,
        }
    return features


def _words(feature: PlannedFeature, value: float | int | None, contribution: float) -> str:
    shown = "unknown" if value is None else f"{value:g}" if isinstance(value, float) else value
    what = feature.description or feature.name.replace("_", " ")
    if math.isclose(contribution, 0, abs_tol=5e-3):
        return f"{what} is {shown}: hardly matters"
    return f"{what} is {shown}: {'raises' if contribution > 0 else 'lowers'} the score"


def shap_values(scorer: Scorer, read: Read) -> list[float]:
    """SHAP values of the first row in the model's order, then the base; log-odds.

    Source: Lundberg et al., Consistent individualized feature attribution (2018), as CatBoost
    computes it.
    """
    from catboost import Pool

    from lockstep.contract.model_input import model_input

    predictor = scorer.served.predictor
    order = predictor.artefact.feature_order
    matrix = model_input(scorer.model_columns(read), order)[:1]
    pool = Pool(matrix, feature_names=list(order))
    found = predictor.model.get_feature_importance(pool, type="ShapValues", thread_count=1)
    values: list[float] = np.asarray(found, np.float64)[0].tolist()
    return values
