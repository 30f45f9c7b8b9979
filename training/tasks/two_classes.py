"""Which of two classes: ranked by probability, decided where the costs are lowest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from lockstep.contract.targets import ClassTarget, Target
from training.costs import DecisionCosts
from training.errors import TrainingError
from training.metrics import (
    average_precision,
    decision_metrics,
    recall_at_wrong_blocks,
    roc_auc,
    squared_errors,
)
from training.operating_points import Bools, Floats, RankedScores
from training.scored_rows import ScoredRows
from training.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.fit import FitParameters
    from training.use_case import UseCase

_NAN = float("nan")
_RANKING = ("roc_auc", "average_precision", "recall_at_5_percent_wrong_blocks")


@dataclass(frozen=True)
class TwoClasses(Task):
    """Labels are 0 and 1; `costs` say what deciding wrongly costs, and so where to decide."""

    costs: DecisionCosts

    worth_name: ClassVar[str] = "average_precision"
    gain: ClassVar[str] = "average_precision"
    calibration: ClassVar[str] = "brier"
    target_rule: ClassVar[str] = "lowest declared cost on the validation fold"

    undecided: ClassVar[Target] = ClassTarget(1.0)
    curve_metric: ClassVar[str] = "PRAUC"
    curve_sign: ClassVar[int] = 1

    def keywords(self, parameters: FitParameters) -> dict[str, Any]:
        return {"scale_pos_weight": parameters.positive_weight}

    def search_space(self) -> dict[str, Any]:
        from hyperopt import hp
        from numpy import log

        return {"positive_weight": hp.loguniform("positive_weight", log(1), log(30))}

    def estimator(self, keywords: Mapping[str, Any]) -> Any:
        from catboost import CatBoostClassifier

        return CatBoostClassifier(**keywords)

    def worth(self, labels: Any, outputs: Floats) -> float:
        return average_precision(RankedScores(labels, outputs[:, 0]).points())

    def target(self, rows: pl.DataFrame, outputs: Floats) -> Target:
        ranked = RankedScores(self.labels(rows), outputs[:, 0], self.costs.of_missing(rows))
        return ClassTarget(self.costs.threshold(ranked.points()))

    def check_fold(self, name: str, rows: pl.DataFrame) -> None:
        labels = self.labels(rows)
        if len(np.unique(labels)) < 2:
            raise TrainingError.one_class(name, rows.height, int(labels.sum()))

    def describe(self, rows: pl.DataFrame) -> dict[str, int | float]:
        return {"positives": int(self.labels(rows).sum())}

    def scored(
        self, rows: pl.DataFrame, outputs: Floats, target: Target, use_case: UseCase
    ) -> ScoredTwoClasses:
        if not isinstance(target, ClassTarget) or target.classes != 2:
            raise TrainingError.other_task(use_case.name, "two classes")
        return ScoredTwoClasses(rows, outputs, target.decided(outputs), target, use_case, self)


@dataclass(frozen=True)
class RecallSlice:
    """A part of the rows; `recall` and `wrong_blocks` (of its negatives) are NaN for no rows."""

    name: str
    rows: int
    positives: int
    flagged: int
    recall: float
    wrong_blocks: float

    @classmethod
    def of(cls, name: str, labels: Any, flagged: Bools) -> RecallSlice:
        """The slice of rows with these labels, some of them flagged."""
        caught, wrong = flagged[labels == 1], flagged[labels == 0]
        shares = _share(caught), _share(wrong)
        return cls(name, len(labels), len(caught), int(flagged.sum()), *shares)

    @property
    def support(self) -> int:
        """Its positives."""
        return self.positives

    @property
    def worth(self) -> float:
        """Its recall."""
        return self.recall


@dataclass(frozen=True)
class ScoredTwoClasses(ScoredRows):
    """Rows with a probability, flagged where the target's threshold is reached."""

    target: ClassTarget
    task: TwoClasses

    @cached_property
    def flagged(self) -> Bools:
        """(rows,) what is acted on."""
        return np.asarray(self.decided == 1)

    @cached_property
    def ranked(self) -> RankedScores:
        """The scores in their order, with what each missed row costs."""
        return RankedScores(self.labels, self.scores, self.task.costs.of_missing(self.rows))

    @cached_property
    def _squared_errors(self) -> Floats:
        return squared_errors(self.labels, self.scores)

    def own_metrics(self, weights: Floats) -> dict[str, float]:
        """Those of ranking, of deciding, and of the scores as probabilities.

        `base_rate` is the share of positives: the average precision of a model that knows
        nothing. `brier` is the mean squared error of the scores as probabilities.
        """
        points, costs = self.ranked.points(weights), self.task.costs
        values = (
            (roc_auc(points), average_precision(points), recall_at_wrong_blocks(points))
            if points.has_both_classes
            else (_NAN, _NAN, _NAN)
        )
        return {
            **dict(zip(_RANKING, values, strict=True)),
            **decision_metrics(self.labels, self.flagged, weights),
            "brier": float(np.average(self._squared_errors, weights=weights)),
            "saved_cost_share": costs.saved_share(self.rows, self.labels, self.flagged, weights),
            "base_rate": float(np.average(self.labels, weights=weights)),
        }

    def slices(self) -> list[RecallSlice]:
        return [
            RecallSlice.of(name, self.labels[mask], self.flagged[mask])
            for name, mask in self.parts()
        ]

    def facts(self) -> Iterable[tuple[str, str]]:
        costs = self.task.costs
        yield "threshold", f"{self.target.threshold:.4f} ({self.task.target_rule})"
        yield "a wrong block costs", f"{costs.wrong_block:,.0f} {costs.unit}"
        yield "a missed positive costs", f"its {costs.missed}"

    def figures(self) -> dict[str, Figure]:
        from training.tasks.two_classes_plots import figures

        return figures(self)


def _share(flags: Bools) -> float:
    return float(flags.mean()) if len(flags) else _NAN
