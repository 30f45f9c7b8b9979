"""What a model is asked, and all that follows from it: loss, target, metrics, checks of folds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from lockstep.contract.targets import Target
from training.operating_points import Floats
from training.use_case import LABEL, UseCase

if TYPE_CHECKING:
    from training.fit import FitParameters
    from training.scored_rows import ScoredRows


class Task(ABC):
    """One kind of question; a use case declares which, generic code asks it for the rest.

    Labels are the column `label` of rows, outputs what a model answers to them: (rows, width),
    see `lockstep.contract.targets`.
    """

    # What a search, a selection of features and the progress of a fit look at: of it more is
    # better. The same metric of `ScoredRows` decides on a promotion, where less may be better.
    worth_name: ClassVar[str]
    gain: ClassVar[str]
    is_less_better: ClassVar[bool] = False
    # The metric that a challenger may not make worse; of it less is better.
    calibration: ClassVar[str]
    # How the number of `target` was chosen, in words.
    target_rule: ClassVar[str]

    @property
    @abstractmethod
    def undecided(self) -> Target:
        """A target that reads a model's outputs, before anything is chosen on validation."""

    @property
    @abstractmethod
    def curve_metric(self) -> str:
        """CatBoost's name of the metric after each tree."""

    @property
    def curve_sign(self) -> int:
        """1 where more of it is better, else -1."""
        return -1

    @property
    def told_afterwards(self) -> tuple[str, ...]:
        """The columns of rows that are no features: their labels, and what these are worth."""
        return (LABEL,)

    @abstractmethod
    def keywords(self, parameters: FitParameters) -> dict[str, Any]:
        """What CatBoost is told beyond what all tasks share."""

    def search_space(self) -> dict[str, Any]:
        """What a search tries beyond what all tasks share; see `training.search`."""
        return {}

    def labels(self, rows: pl.DataFrame) -> Any:
        """(rows,) the labels as numbers."""
        return rows.get_column(LABEL).to_numpy()

    def fitted_labels(self, labels: Any) -> Any:
        """(rows,) what CatBoost is fitted on."""
        return labels

    @abstractmethod
    def estimator(self, keywords: Mapping[str, Any]) -> Any:
        """CatBoost's estimator, not fitted yet."""

    @abstractmethod
    def worth(self, labels: Any, outputs: Floats) -> float:
        """How good outputs are; more is better."""

    @abstractmethod
    def target(self, rows: pl.DataFrame, outputs: Floats) -> Target:
        """The target of a model with these outputs on validation rows."""

    @abstractmethod
    def check_fold(self, name: str, rows: pl.DataFrame) -> None:
        """Returns where the rows of a fold can be fitted on and judged by.

        Raises:
            TrainingError: they cannot; it says why.
        """

    @abstractmethod
    def describe(self, rows: pl.DataFrame) -> dict[str, int | float]:
        """What is to be known of the labels of a fold."""

    @abstractmethod
    def scored(
        self, rows: pl.DataFrame, outputs: Floats, target: Target, use_case: UseCase
    ) -> ScoredRows:
        """The rows, ready to be judged.

        Raises:
            TrainingError: the target is one of another kind of task.
        """
