"""A model ready to score: CatBoost's own format only, so that no pickle is ever loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockstep.contract.model_artefact import CATBOOST_FORMAT, ModelArtefact, ModelArtefactError
from lockstep.contract.model_input import Columns, model_input
from lockstep.contract.targets import ClassTarget
from lockstep.contract.trees import Trees

_FEW_ROWS = 2_000


@dataclass(frozen=True)
class Predictor:
    """A CatBoost model with the artefact that says how to feed and to read it."""

    artefact: ModelArtefact
    model: Any

    def __post_init__(self) -> None:
        names = list(self.model.feature_names_)
        expected = list(self.artefact.feature_order)
        if names != expected:
            raise ModelArtefactError.other_features(names, expected)

    @classmethod
    def load(cls, path: Path, artefact: ModelArtefact) -> Predictor:
        """The predictor of the CatBoost file at `path`.

        Raises:
            ModelArtefactError: the file is absent, damaged, or has other features.
        """
        from catboost import CatBoost, CatBoostError

        try:
            model = CatBoost().load_model(str(path), format=CATBOOST_FORMAT)
        except CatBoostError as error:
            raise ModelArtefactError.unreadable(path.name, error) from error
        return cls(artefact, model)

    def outputs(self, columns: Columns) -> NDArray[np.float64]:
        """(rows, width) what the model answers; the artefact's target says what it means.

        Raises:
            ModelInputError: `columns` are not the model's features.
        """
        return self.row_outputs(model_input(columns, self.artefact.feature_order))

    def scores(self, columns: Columns) -> NDArray[np.float64]:
        """(rows,) the score of each: of two classes the probability of the one that is acted on.

        Raises:
            ModelInputError: `columns` are not the model's features.
        """
        return self.artefact.target.scores(self.outputs(columns))

    def row_outputs(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `outputs` for (rows, features) in the model's order, as `model_input` makes them.

        Raises:
            TargetError: the model answers with more or fewer numbers than its target says.
        """
        if not len(rows):
            return np.empty((0, self.artefact.target.width))
        if self._trees is not None:
            return self._trees.scores(rows)[:, np.newaxis]
        # One thread: up to some thousand rows, starting threads costs more than the trees.
        threads = 1 if len(rows) <= _FEW_ROWS else -1
        return self.artefact.target.outputs(self.model, rows, threads=threads)

    @cached_property
    def _trees(self) -> Trees | None:
        target = self.artefact.target
        is_binary = isinstance(target, ClassTarget) and target.classes == 2
        return Trees.of(self.model) if is_binary else None
