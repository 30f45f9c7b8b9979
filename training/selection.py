"""Which features a model can do without: each is shuffled in rows that come after the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockstep.contract.predictor import Predictor
from training.fit import matrix
from training.operating_points import Floats
from training.tasks.task import Task

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
