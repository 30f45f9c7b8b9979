"""Fits on earlier folds, each judged by its own later rows: what chooses trees and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from training.fit import FitParameters, OnTree, boosted, matrix
from training.operating_points import Floats
from training.search import CHECKPOINT, Hopeless, OnTrial, Search, with_values
from training.split import Split
from training.tasks.task import Task
from training.trial_log import Trial, TrialLog


@dataclass(frozen=True)
class Part:
    """(rows, features), null as NaN; and the labels."""

    matrix: Floats
    labels: Any

    @classmethod
    def of(cls, rows: pl.DataFrame, feature_order: Sequence[str], task: Task) -> Part:
        """Of rows with their features."""
        return cls(matrix(rows, feature_order), task.labels(rows))

    def pool(self, names: Sequence[str], task: Task) -> Any:
        """As CatBoost takes it."""
        from catboost import Pool

        labels = task.fitted_labels(self.labels)
        return Pool(self.matrix, label=labels, feature_names=list(names))


@dataclass(frozen=True)
class Judged:
    """How many trees are best over all folds, and each fold's outputs by so many."""

    trees: int
    outputs: tuple[Floats, ...]


@dataclass(frozen=True)
class Validation:
    """Pairs of train and judging rows as matrices, which other processes take along."""

    task: Task
    names: tuple[str, ...]
    folds: tuple[tuple[Part, Part], ...]

    @classmethod
    def of(
        cls,
        task: Task,
        folds: Sequence[tuple[pl.DataFrame, pl.DataFrame]],
        feature_order: Sequence[str],
    ) -> Validation:
        """Of rows with their features; of each pair the first is fitted on."""
        parts = [
            (Part.of(fit, feature_order, task), Part.of(by, feature_order, task))
            for fit, by in folds
        ]
        return cls(task, tuple(feature_order), tuple(parts))

    @classmethod
    def of_split(cls, task: Task, split: Split, feature_order: Sequence[str]) -> Validation:
        """Of the one pair that a split has."""
        return cls.of(task, [(split.train, split.validation)], feature_order)

    def searched(
        self,
        search: Search,
        parameters: FitParameters,
        log: TrialLog | None = None,
        on_trial: OnTrial = lambda trial, best: None,
    ) -> FitParameters:
        """`parameters` with those of the search's best trial on these folds; its log is `log`."""
        fitting = TrialFit(self, parameters)
        best = search.run(self.task, fitting.evaluate, log or TrialLog.in_memory(), on_trial)
        return with_values(parameters, best.values)

    def judged(self, parameters: FitParameters, on_tree: OnTree) -> Judged:
        """Fits every fold; the number of trees is where the mean of their curves is highest.

        One week has some hundred positives, and the best number of trees by it is partly
        luck. A fit stops early only where it is the only one: curves of one mean are equally
        long. `on_tree` that answers False ends all; then the folds done so far count.
        """
        if len(self.folds) > 1:
            parameters = replace(parameters, early_stopping_rounds=None)
        progress, fitted = _FoldAfterFold(on_tree), []
        for train, by in self.folds:
            fit, judge = (part.pool(self.names, self.task) for part in (train, by))
            model, curve = boosted(self.task, fit, judge, parameters, progress.on_tree)
            fitted.append((model, curve, by))
            if progress.is_ended:
                break
            progress.best.append(max(curve))
        shortest = min(len(curve) for _, curve, _ in fitted)
        mean = np.mean([curve[:shortest] for _, curve, _ in fitted], axis=0)
        trees = int(mean.argmax()) + 1
        for model, _, _ in fitted:
            model.shrink(trees)
        read = self.task.undecided.outputs
        outputs = (read(model, by.matrix, threads=-1) for model, _, by in fitted)
        return Judged(trees, tuple(outputs))


@dataclass(frozen=True)
class TrialFit:
    """What a search asks of one trial; `parameters` are what no trial changes."""

    validation: Validation
    parameters: FitParameters

    def evaluate(self, number: int, values: Mapping[str, float], is_hopeless: Hopeless) -> Trial:
        """Fits with `values`; the score is the mean of the folds' worths."""
        watch = _Watch(is_hopeless)
        judged = self.validation.judged(with_values(self.parameters, values), watch.on_tree)
        pairs = zip(self.validation.folds, judged.outputs, strict=False)
        each = [self.validation.task.worth(by.labels, outputs) for (_, by), outputs in pairs]
        score = sum(each) / len(each)
        return Trial(number, values, score, judged.trees, watch.curve, watch.is_ended)


@dataclass
class _FoldAfterFold:
    """One count of trees over all folds, and the mean of the best that they have reached."""

    ask: OnTree
    best: list[float] = field(default_factory=list)
    is_ended: bool = False
    _done: int = 0

    def on_tree(self, done: int, best: float) -> bool:
        self._done += 1
        mean = (sum(self.best) + best) / (len(self.best) + 1)
        self.is_ended = not self.ask(self._done, mean)
        return not self.is_ended


@dataclass
class _Watch:
    """Ends a trial whose curve is hopeless."""

    is_hopeless: Hopeless
    curve: list[float] = field(default_factory=list)
    is_ended: bool = False

    def on_tree(self, done: int, best: float) -> bool:
        if done % CHECKPOINT == 0:
            self.curve.append(best)
            self.is_ended = self.is_hopeless(self.curve)
        return not self.is_ended
