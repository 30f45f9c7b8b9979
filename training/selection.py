"""Which features a model can do without: each is shuffled in rows that come after the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np
import polars as pl

from lockstep.contract.predictor import Predictor
from training.dataset import Dataset
from training.fit import FitParameters, OnTree, fit, matrix
from training.operating_points import Floats
from training.split import Split
from training.tasks.task import Task
from training.use_case import UseCase

REPEATS = 3


@dataclass(frozen=True)
class Selection:
    """By feature the worth that is lost when it is shuffled; the mean of repeats.

    Kept is what loses more than `least`, in the model's order.
    """

    losses: Mapping[str, float]
    least: float

    @property
    def kept(self) -> tuple[str, ...]:
        """The features worth keeping; all where none would be left."""
        found = tuple(name for name, loss in self.losses.items() if loss > self.least)
        return found or tuple(self.losses)


def by_permutation(
    predictor: Predictor, rows: pl.DataFrame, task: Task, *, least: float = 0.0, seed: int = 0
) -> Selection:
    """The selection of a fitted model on labelled rows that it was not fitted on.

    Source: Breiman, Random Forests (2001), on held-out rows. Of features that say the same
    each alone loses little: look at the losses before you drop several.
    """
    names = predictor.artefact.feature_order
    features, labels = matrix(rows, names), task.labels(rows)
    generator = np.random.default_rng(seed)

    def worth(of: Floats) -> float:
        return task.worth(labels, task.undecided.outputs(predictor.model, of, threads=-1))

    whole = worth(features)
    losses = {}
    for position, name in enumerate(names):
        found = []
        for _ in range(REPEATS):
            shuffled = features.copy()
            generator.shuffle(shuffled[:, position])
            found.append(whole - worth(shuffled))
        losses[name] = float(np.mean(found))
    return Selection(losses, least)


def fit_selected(
    split: Split,
    dataset: Dataset,
    *,
    use_case: UseCase,
    as_of: datetime,
    parameters: FitParameters,
    above: float | None,
    on_tree: OnTree,
    seed: int = 0,
) -> tuple[Predictor, Selection | None]:
    """The predictor with all features of the dataset, the folds of which are `split`.

    With `above` one is fitted after it with the features that lose more when they are shuffled
    on the validation fold, from `seed`; the selection comes with it.
    """
    fitted = partial(
        fit,
        split,
        use_case=use_case,
        fingerprint=dataset.fingerprint,
        as_of=as_of,
        parameters=parameters,
        on_tree=on_tree,
    )
    predictor = fitted(feature_order=dataset.feature_order)
    if above is None:
        return predictor, None
    task, fold = use_case.task, split.validation
    selection = by_permutation(predictor, fold, task, least=above, seed=seed)
    return fitted(feature_order=selection.kept), selection
