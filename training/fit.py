"""CatBoost on the training fold; the validation fold ends the fit and chooses its target."""

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
from training.operating_points import Floats
from training.split import Split
from training.tasks.task import Task
from training.use_case import UseCase

# Called after each tree: how many are done, and the best worth on validation so far; see
# `Task.worth_name`. A fit that it answers with False ends there.
OnTree = Callable[[int, float], bool]

Device = Literal["CPU", "GPU"]


@dataclass(frozen=True)
class FitParameters:
    """What shapes the fit; `iterations` is the most trees, fewer when validation stops it.

    `positive_weight` is how often a positive row of two classes counts.
    `early_stopping_rounds` trees without a better one end a fit; with None it goes on to its
    last tree. With `refit` the model that validation has chosen is fitted again on all that was
    known before the test, with as many trees.
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
    refit: bool = False
    device: Device = "CPU"

    def seeded(self, seed: int) -> FitParameters:
        """The same with another seed."""
        return replace(self, seed=seed)

    def catboost(self, task: Task) -> dict[str, Any]:
        """The keywords of CatBoost: quiet, leaving no files behind."""
        given = asdict(self)
        for ours in ("positive_weight", "refit"):
            del given[ours]
        return {
            "random_seed": given.pop("seed"),
            "task_type": given.pop("device"),
            **given,
            **task.keywords(self),
            "bootstrap_type": "Bayesian",
            "eval_metric": task.curve_metric,
            "thread_count": os.cpu_count(),
            "logging_level": "Silent",
            "allow_writing_files": False,
        }


@dataclass(frozen=True)
class _TreeCounter:
    """Reports each tree, in the form that CatBoost calls back."""

    task: Task
    on_tree: OnTree

    def after_iteration(self, info: Any) -> bool:
        curve = _worth_curve(self.task, info.metrics)
        return self.on_tree(info.iteration, max(curve))


def _worth_curve(task: Task, metrics: Any) -> list[float]:
    return [task.curve_sign * value for value in metrics["validation"][task.curve_metric]]


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
    """The fitted predictor; its target is chosen on the validation fold."""
    task = use_case.task
    train, validation = (
        pool(rows, feature_order, task) for rows in (split.train, split.validation)
    )
    model, _ = boosted(task, train, validation, parameters, on_tree, best_only=True)
    outputs = task.undecided.outputs(model, matrix(split.validation, feature_order), threads=-1)
    target = task.target(split.validation, outputs)
    if parameters.refit:
        known = pool(split.known, feature_order, task)
        model = refitted(task, known, parameters, trees=int(model.tree_count_))
    artefact = ModelArtefact(
        use_case=use_case.name,
        feature_service=use_case.feature_service,
        feature_order=feature_order,
        target=target,
        trained_as_of=as_of,
        fingerprint=fingerprint,
    )
    return Predictor(artefact, model)


def boosted(
    task: Task,
    train: Any,
    judge: Any,
    parameters: FitParameters,
    on_tree: OnTree,
    *,
    best_only: bool = False,
) -> tuple[Any, list[float]]:
    """A CatBoost model, and its worth after each tree that it grew; more is better.

    It is that of `judge`, a pool as `train`, and as CatBoost computes it. With `best_only` the
    model keeps as many trees as are best by it, else all.
    """
    model = task.estimator(parameters.catboost(task)).fit(
        train, eval_set=judge, use_best_model=best_only, callbacks=[_TreeCounter(task, on_tree)]
    )
    return model, _worth_curve(task, model.get_evals_result())


def refitted(task: Task, train: Any, parameters: FitParameters, *, trees: int) -> Any:
    """A CatBoost model of exactly so many trees, without a validation fold."""
    keywords = parameters.catboost(task) | {"iterations": trees}
    for validating in ("early_stopping_rounds", "eval_metric"):
        del keywords[validating]
    return task.estimator(keywords).fit(train)


def matrix(rows: pl.DataFrame, feature_order: Sequence[str]) -> Floats:
    """(rows, features) in order, null as NaN."""
    return model_input(rows.select(feature_order).to_dict(), feature_order)


def pool(rows: pl.DataFrame, feature_order: Sequence[str], task: Task) -> Any:
    """The rows as CatBoost takes them."""
    from catboost import Pool

    labels = task.fitted_labels(task.labels(rows))
    return Pool(matrix(rows, feature_order), label=labels, feature_names=list(feature_order))
