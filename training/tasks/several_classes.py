"""Which of several classes, the first of which is to do nothing; each other one earns or loses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from lockstep.contract.targets import ClassTarget, Ints, Target
from training.errors import TrainingError
from training.metrics import log_losses, roc_auc
from training.operating_points import Bools, Floats, RankedScores
from training.scored_rows import ScoredRows, Slice
from training.tasks.task import Task
from training.use_case import LABEL, UseCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.fit import FitParameters

_NAN = float("nan")


@dataclass(frozen=True)
class SeveralClasses(Task):
    """Labels number the `classes`, 0 for the neutral one.

    `earned` are columns with what deciding for class 1, 2 and so on earns on a row, after
    costs, as a share of what is staked; the neutral decision earns nothing.
    """

    classes: tuple[str, ...]
    earned: tuple[str, ...]

    worth_name: ClassVar[str] = "negative_log_loss"
    gain: ClassVar[str] = "log_loss"
    is_less_better: ClassVar[bool] = True
    calibration: ClassVar[str] = "brier"
    target_rule: ClassVar[str] = "most earned on the validation fold"

    curve_metric: ClassVar[str] = "MultiClass"

    @property
    def undecided(self) -> Target:
        return ClassTarget(1.0, len(self.classes))

    @property
    def told_afterwards(self) -> tuple[str, ...]:
        return (LABEL, *self.earned)

    def keywords(self, parameters: FitParameters) -> dict[str, Any]:
        return {"loss_function": "MultiClass"}

    def estimator(self, keywords: Mapping[str, Any]) -> Any:
        from catboost import CatBoostClassifier

        return CatBoostClassifier(**keywords)

    def worth(self, labels: Any, outputs: Floats) -> float:
        return -float(log_losses(labels, outputs).mean())

    def target(self, rows: pl.DataFrame, outputs: Floats) -> Target:
        """The threshold at which most would have been earned; never to act where none earns."""
        calls = outputs[:, 1:]
        gained = self.earned_by(rows, calls.argmax(axis=1) + 1)
        order = np.argsort(-calls.max(axis=1), kind="stable")
        best = calls.max(axis=1)[order]
        # What is earned from each distinct probability up.
        ends = np.append(np.flatnonzero(np.diff(best)), len(best) - 1)
        earned = np.cumsum(gained[order])[ends]
        highest = int(np.argmax(earned))
        threshold = float(best[ends][highest]) if earned[highest] > 0 else 1.0
        return ClassTarget(threshold, len(self.classes))

    def earned_by(self, rows: pl.DataFrame, decided: Ints) -> Floats:
        """(rows,) what a decision for each row, the number of a class, earns there."""
        neutral = np.zeros(rows.height)
        columns = (rows.get_column(name).cast(pl.Float64).to_numpy() for name in self.earned)
        earnings = np.column_stack([neutral, *columns])
        return np.asarray(earnings[np.arange(rows.height), decided])

    def check_fold(self, name: str, rows: pl.DataFrame) -> None:
        found = set(self.labels(rows).tolist())
        if missing := [c for number, c in enumerate(self.classes) if number not in found]:
            raise TrainingError.lacks_classes(name, rows.height, missing)

    def describe(self, rows: pl.DataFrame) -> dict[str, int | float]:
        counts = np.bincount(self.labels(rows), minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def scored(
        self, rows: pl.DataFrame, outputs: Floats, target: Target, use_case: UseCase
    ) -> ScoredSeveralClasses:
        if not isinstance(target, ClassTarget) or target.classes != len(self.classes):
            raise TrainingError.other_task(use_case.name, f"{len(self.classes)} classes")
        decided = target.decided(outputs)
        return ScoredSeveralClasses(rows, outputs, decided, target, use_case, self)


@dataclass(frozen=True)
class ScoredSeveralClasses(ScoredRows):
    """Rows with a probability of each class."""

    target: ClassTarget
    task: SeveralClasses

    @cached_property
    def gained(self) -> Floats:
        """(rows,) what each decision earned."""
        return self.task.earned_by(self.rows, self.decided)

    @cached_property
    def _losses(self) -> Floats:
        return log_losses(self.labels, self.outputs)

    @cached_property
    def _is(self) -> Bools:
        """(rows, classes) which class each row is of."""
        return np.asarray(self.labels[:, np.newaxis] == np.arange(len(self.task.classes)))

    @cached_property
    def _squared_errors(self) -> Floats:
        return np.asarray(((self.outputs - self._is) ** 2).sum(axis=1))

    @cached_property
    def _against_rest(self) -> Sequence[RankedScores]:
        return [
            RankedScores(self._is[:, number].astype(np.int64), self.outputs[:, number])
            for number in range(len(self.task.classes))
        ]

    @cached_property
    def _pairs(self) -> Mapping[str, tuple[Bools, RankedScores]]:
        """Each two classes that are not neutral: which rows are of them, and how they are told."""
        found = {}
        for one, other in combinations(range(1, len(self.task.classes)), 2):
            mask = self._is[:, one] | self._is[:, other]
            both = self.outputs[mask][:, [one, other]]
            told = both[:, 0] / np.maximum(both.sum(axis=1), np.finfo(np.float64).tiny)
            name = f"{self.task.classes[one]}_against_{self.task.classes[other]}_auc"
            found[name] = mask, RankedScores(self._is[mask, one].astype(np.int64), told)
        return found

    def own_metrics(self, weights: Floats) -> dict[str, float]:
        """Those of the probabilities, of ranking, and of what decisions earn.

        `log_loss_below_constant` is how far it lies below that of the best forecast that is the
        same for all rows: their own shares of the classes, known afterwards. `weighted_auc`
        is the mean of each class against the rest, weighted by its share.
        """
        shares = np.average(self._is, axis=0, weights=weights)
        loss = float(np.average(self._losses, weights=weights))
        aucs = [_auc(ranked, weights) for ranked in self._against_rest]
        acted = weights[self.decided > 0].sum()
        earned = float((weights * self.gained).sum())
        return {
            "log_loss": loss,
            "log_loss_below_constant": _entropy(shares) - loss,
            "brier": float(np.average(self._squared_errors, weights=weights)),
            "weighted_auc": float(np.dot(shares, aucs)),
            f"{self.task.classes[0]}_against_rest_auc": aucs[0],
            **{name: _auc(ranked, weights[mask]) for name, (mask, ranked) in self._pairs.items()},
            "decided_share": float(acted / weights.sum()),
            "earned_per_decision": earned / acted if acted else _NAN,
            "earned_per_row": earned / float(weights.sum()),
        }

    def slices(self) -> Sequence[Slice]:
        return ()

    def facts(self) -> Iterable[tuple[str, str]]:
        yield "threshold", f"{self.target.threshold:.4f} ({self.task.target_rule})"

    def figures(self) -> dict[str, Figure]:
        from training.tasks.several_classes_plots import figures

        return figures(self)


def _auc(ranked: RankedScores, weights: Floats) -> float:
    if not len(weights):
        return _NAN
    points = ranked.points(weights)
    return roc_auc(points) if points.has_both_classes else _NAN


def _entropy(shares: Floats) -> float:
    known = shares[shares > 0]
    return float(-(known * np.log(known)).sum())
