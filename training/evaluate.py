"""What a fitted model is worth on rows that it never saw, and what the rows look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from lockstep.contract.predictor import Predictor
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.metrics import average_precision, decision_metrics, roc_auc
from training.split import Split
from training.use_case import LABEL, LABEL_KNOWN_AT, UseCase


def evaluate(predictor: Predictor, rows: pl.DataFrame, use_case: UseCase) -> dict[str, float]:
    """The metrics of `rows` at the predictor's threshold, by name.

    `base_rate` is the share of positives: the average precision of a model that knows
    nothing.
    """
    scores = predictor.scores(rows.select(predictor.artefact.feature_order).to_dict())
    labels = rows[LABEL].to_numpy()
    return {
        "roc_auc": roc_auc(labels, scores),
        "average_precision": average_precision(labels, scores),
        **decision_metrics(labels, scores >= predictor.artefact.threshold),
        **use_case.extra_metrics(rows, scores),
        "base_rate": float(labels.mean()),
    }


def describe(split: Split) -> dict[str, dict[str, Any]]:
    """For each fold its rows, its positives, its range of T and its last label's instant."""
    return {
        name: {
            "rows": rows.height,
            "positives": int(rows[LABEL].sum()),
            "from": _iso(rows[EVENT_TIMESTAMP].min()),
            "to": _iso(rows[EVENT_TIMESTAMP].max()),
            "labels_known_by": _iso(rows[LABEL_KNOWN_AT].max()),
        }
        for name, rows in split.folds().items()
    }


def useless_features(rows: pl.DataFrame, feature_order: Sequence[str]) -> tuple[str, ...]:
    """A warning for each feature that is null, or has the same value, in every row."""
    warnings = []
    for name in feature_order:
        values = rows[name]
        if values.null_count() == len(values):
            warnings.append(f"feature {name!r} is null in every training row")
        elif values.n_unique() == 1:
            warnings.append(f"feature {name!r} is {values[0]} in every training row")
    return tuple(warnings)


def _iso(instant: Any) -> str:
    return str(instant.isoformat())
