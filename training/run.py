"""One training from the lake to the registry, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lockstep.contract.predictor import Predictor
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from training.dataset import join_features
from training.errors import TrainingError
from training.evaluate import describe, evaluate, useless_features
from training.fit import THRESHOLD_RULE, FitParameters, OnTree, fit
from training.leak import assert_no_leak
from training.register import Evidence, Registered, register
from training.split import Split, SplitPlan, plan_split
from training.use_case import UseCase

if TYPE_CHECKING:
    from feast import FeatureStore

_EXAMPLE_ROWS = 5

# Told what is being done, and the share of all that is done, from 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class TrainingOptions:
    """What the caller chooses; `as_of` is the instant up to which labels are known."""

    as_of: datetime | None = None
    test_days: int = 7
    train_days: int | None = None
    parameters: FitParameters = field(default_factory=FitParameters)


@dataclass(frozen=True)
class TrainingResult:
    """A registered model and what is to be known of it."""

    registered: Registered
    threshold: float
    trees: int
    metrics: Mapping[str, float]
    folds: Mapping[str, Mapping[str, Any]]
    warnings: tuple[str, ...]


def train(
    settings: Settings,
    store: FeatureStore,
    use_case: UseCase,
    options: TrainingOptions,
    progress: Progress,
) -> TrainingResult:
    """The result of fitting, judging and registering a model of `use_case`.

    Raises:
        LockstepError: the data, the definitions or the registry do not allow it; then the
            registry's champion is what it was.
    """
    progress("reading labels", 0.0)
    as_of, rows = _labelled_rows(settings, use_case, options.as_of)
    plan = plan_split(rows, test_days=options.test_days, train_days=options.train_days)
    split, feature_order = _join(store, use_case, plan, rows, progress)
    assert_no_leak(split, row_id=use_case.row_id, as_of=as_of)
    predictor = fit(
        split,
        use_case=use_case,
        feature_order=feature_order,
        as_of=as_of,
        parameters=options.parameters,
        on_tree=_tree_progress(progress, options.parameters),
    )
    progress("evaluating", 0.8)
    metrics = evaluate(predictor, split.test, use_case)
    folds = describe(split)
    warnings = (*_split_warnings(plan), *useless_features(split.train, feature_order))
    progress("registering", 0.9)
    evidence = _evidence(predictor, options, metrics, folds, warnings)
    registered = register(settings, predictor, split.train.head(_EXAMPLE_ROWS), evidence)
    trees = int(predictor.model.tree_count_)
    threshold = predictor.artefact.threshold
    return TrainingResult(registered, threshold, trees, metrics, folds, warnings)


def _labelled_rows(
    settings: Settings, use_case: UseCase, as_of: datetime | None
) -> tuple[datetime, pl.DataFrame]:
    lake = Lake.at(settings.lake)
    known_by = as_of or lake.table(use_case.labels_table).coverage_end()
    rows = use_case.entity_rows(lake, known_by)
    if rows.is_empty():
        raise TrainingError.no_labels(use_case.name, known_by)
    return known_by, rows


def _join(
    store: FeatureStore,
    use_case: UseCase,
    plan: SplitPlan,
    rows: pl.DataFrame,
    progress: Progress,
) -> tuple[Split, tuple[str, ...]]:
    """The folds with their features; rows that are in no fold are not joined."""
    used = plan.split(rows).rows()
    progress(f"joining features onto {used.height:,} rows", 0.1)
    dataset = join_features(
        store, used, feature_service=use_case.feature_service, row_id=use_case.row_id
    )
    return plan.split(dataset.rows), dataset.feature_order


def _tree_progress(progress: Progress, parameters: FitParameters) -> OnTree:
    def on_tree(done: int, best: float) -> None:
        most = parameters.iterations
        what = f"fitting tree {done} of at most {most}, log loss {best:.4f}"
        progress(what, 0.3 + 0.5 * done / most)

    return on_tree


def _split_warnings(plan: SplitPlan) -> tuple[str, ...]:
    if plan.purged:
        return ()
    return ("too few days: some training labels became known after validation starts",)


def _evidence(
    predictor: Predictor,
    options: TrainingOptions,
    metrics: Mapping[str, float],
    folds: Mapping[str, Mapping[str, Any]],
    warnings: tuple[str, ...],
) -> Evidence:
    artefact = predictor.artefact
    return Evidence(
        params=predictor.model.get_params()
        | {
            "as_of": artefact.trained_as_of.isoformat(),
            "test_days": options.test_days,
            "train_days": options.train_days or "all",
            "trees": int(predictor.model.tree_count_),
            "threshold": artefact.threshold,
            "threshold_rule": THRESHOLD_RULE,
        },
        metrics={f"test_{name}": value for name, value in metrics.items()},
        tags={
            "use_case": artefact.use_case,
            "feature_service": artefact.feature_service,
            "warnings": "; ".join(warnings) or "none",
        },
        metadata={"folds": folds, "threshold_rule": THRESHOLD_RULE},
    )
