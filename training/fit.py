"""CatBoost on the training fold, stopped early and thresholded on the validation fold."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

import polars as pl

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.model_input import model_input
from lockstep.contract.predictor import Predictor
from lockstep.contract.targets import ClassTarget
from training.operating_points import Floats, RankedScores
from training.split import Split
from training.use_case import LABEL, UseCase

THRESHOLD_RULE = "lowest declared cost on the validation fold"

# Called after each tree: how many are done, and the highest average precision on validation
# so far. A fit that it answers with False ends there.
OnTree = Callable[[int, float], bool]

Device = Literal["CPU", "GPU"]
_METRIC = "PRAUC"


@dataclass(frozen=True)
class FitParameters:
    """What shapes the fit; `iterations` is the most trees, fewer when validation stops it.

    `positive_weight` is how often a positive row counts. `early_stopping_rounds` trees without
    a better one end a fit; with None it goes on to its last tree.
    """

    iterations: int = 300
    seed: int = 0
    depth: int = 6
    learning_rate: float = 0.05
    l2_leaf_reg: float = 3.0
    random_strength: float = 1.0
    bagging_temperature: float = 1.0
    positive_weight: float = 1.0
    early_stopping_rounds: int | None = 100
    device: Device = "CPU"

    def seeded(self, seed: int) -> FitParameters:
        """The same with another seed."""
        return replace(self, seed=seed)

    def catboost(self) -> dict[str, Any]:
        """The keywords of CatBoost: quiet, leaving no files behind."""
        given = asdict(self)
        return {
            "random_seed": given.pop("seed"),
            "task_type": given.pop("device"),
            "scale_pos_weight": given.pop("positive_weight"),
            **given,
            "bootstrap_type": "Bayesian",
            "eval_metric": _METRIC,
            "thread_count": os.cpu_count(),
            "logging_level": "Silent",
            "allow_writing_files": False,
        }


@dataclass(frozen=True)
class _TreeCounter:
    """Reports each tree, in the form that CatBoost calls back."""

    on_tree: OnTree

    def after_iteration(self, info: Any) -> bool:
        return self.on_tree(info.iteration, max(info.metrics["validation"][_METRIC]))


def fit(
    split: Split,
    *,
    use_case: UseCase,
    feature_order: tuple[str, ...],
    fingerprint: str,
    as_of: datetime,
    parameters: FitParameters,
    on_tree: OnTree,
) -> Predictor:
    """The fitted predictor; its threshold is the cheapest on the validation fold."""
    validation = pool(split.validation, feature_order)
    train = pool(split.train, feature_order)
    model, _ = boosted(train, validation, parameters, on_tree, best_only=True)
    scores = model.predict_proba(validation)[:, 1]
    artefact = ModelArtefact(
        use_case=use_case.name,
        feature_service=use_case.feature_service,
        feature_order=feature_order,
        target=ClassTarget(cheapest_threshold(split.validation, scores, use_case)),
        trained_as_of=as_of,
        fingerprint=fingerprint,
    )
    return Predictor(artefact, model)


def boosted(
    train: Any, judge: Any, parameters: FitParameters, on_tree: OnTree, *, best_only: bool = False
) -> tuple[Any, list[float]]:
    """A CatBoost classifier, and the average precision after each tree that it grew.

    It is that of `judge`, a pool as `train`, and as CatBoost computes it. With `best_only` the
    model keeps as many trees as are best by it, else all.
    """
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(**parameters.catboost()).fit(
        train, eval_set=judge, use_best_model=best_only, callbacks=[_TreeCounter(on_tree)]
    )
    return model, model.get_evals_result()["validation"][_METRIC]


def refitted(train: Any, parameters: FitParameters, *, trees: int) -> Any:
    """A CatBoost classifier of exactly so many trees, without a validation fold."""
    from catboost import CatBoostClassifier

    keywords = parameters.catboost() | {"iterations": trees}
    for validating in ("early_stopping_rounds", "eval_metric"):
        del keywords[validating]
    return CatBoostClassifier(**keywords).fit(train)


def cheapest_threshold(rows: pl.DataFrame, scores: Floats, use_case: UseCase) -> float:
    """The threshold at which deciding on these rows would have cost least."""
    labels = rows.get_column(LABEL).to_numpy()
    ranked = RankedScores(labels, scores, use_case.costs.of_missing(rows))
    return use_case.costs.threshold(ranked.points())


def pool(rows: pl.DataFrame, feature_order: Sequence[str]) -> Any:
    """The rows as CatBoost takes them, features in order, null as NaN."""
    from catboost import Pool

    matrix = model_input(rows.select(feature_order).to_dict(), feature_order)
    return Pool(matrix, label=rows[LABEL].to_numpy(), feature_names=list(feature_order))
