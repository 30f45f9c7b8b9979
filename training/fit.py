"""CatBoost on the training fold, stopped early and thresholded on the validation fold."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.model_input import model_input
from lockstep.contract.predictor import Predictor
from training.metrics import best_f1_threshold
from training.split import Split
from training.use_case import LABEL, UseCase

THRESHOLD_RULE = "highest F1 on the validation fold"

# Called after each tree: how many are done, and the lowest log loss on validation so far.
OnTree = Callable[[int, float], None]


@dataclass(frozen=True)
class FitParameters:
    """What shapes the fit; `iterations` is the most trees, fewer when validation stops it."""

    iterations: int = 300
    seed: int = 0
    depth: int = 6
    learning_rate: float = 0.05
    early_stopping_rounds: int = 50

    def catboost(self) -> dict[str, Any]:
        """The keywords of CatBoost: on the CPU, quiet, leaving no files behind."""
        given = asdict(self)
        seed = given.pop("seed")
        return given | {
            "random_seed": seed,
            "eval_metric": "Logloss",
            "thread_count": os.cpu_count(),
            "task_type": "CPU",
            "logging_level": "Silent",
            "allow_writing_files": False,
        }


@dataclass(frozen=True)
class _TreeCounter:
    """Reports each tree, in the form that CatBoost calls back."""

    on_tree: OnTree

    def after_iteration(self, info: Any) -> bool:
        self.on_tree(info.iteration, min(info.metrics["validation"]["Logloss"]))
        return True


def fit(
    split: Split,
    *,
    use_case: UseCase,
    feature_order: tuple[str, ...],
    as_of: datetime,
    parameters: FitParameters,
    on_tree: OnTree,
) -> Predictor:
    """The fitted predictor; its threshold has the highest F1 on the validation fold."""
    from catboost import CatBoostClassifier

    validation = _pool(split.validation, feature_order)
    model = CatBoostClassifier(**parameters.catboost()).fit(
        _pool(split.train, feature_order),
        eval_set=validation,
        use_best_model=True,
        callbacks=[_TreeCounter(on_tree)],
    )
    scores = model.predict_proba(validation)[:, 1]
    artefact = ModelArtefact(
        use_case=use_case.name,
        feature_service=use_case.feature_service,
        feature_order=feature_order,
        threshold=best_f1_threshold(split.validation[LABEL].to_numpy(), scores),
        trained_as_of=as_of,
    )
    return Predictor(artefact, model)


def _pool(rows: pl.DataFrame, feature_order: tuple[str, ...]) -> Any:
    from catboost import Pool

    matrix = model_input(rows.select(feature_order).to_dict(), feature_order)
    return Pool(matrix, label=rows[LABEL].to_numpy(), feature_names=list(feature_order))
