"""What a fitted model is worth on rows that it never saw, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from training.bootstrap import REPLICATES, Days, Interval, by_day
from training.costs import DecisionCosts
from training.daily_share import DailyShare
from training.metrics import (
    at_threshold,
    average_precision,
    recall_at_wrong_blocks,
    roc_auc,
    squared_errors,
)
from training.operating_points import Floats, Labels, OperatingPoints, RankedScores
from training.use_case import LABEL, UseCase

_NAN = float("nan")


@dataclass(frozen=True)
class Slice:
    """A part of the rows; `recall` and `wrong_blocks` (of its negatives) are NaN for no rows."""

    name: str
    rows: int
    positives: int
    flagged: int
    recall: float
    wrong_blocks: float

    @classmethod
    def of(cls, name: str, rows: pl.DataFrame) -> Slice:
        """The slice of `rows`, which have a column `flagged`."""
        caught, wrong = (rows.filter(pl.col(LABEL) == one)["flagged"] for one in (1, 0))
        flagged = int(caught.sum()) + int(wrong.sum())
        return cls(name, len(rows), len(caught), flagged, _share(caught), _share(wrong))


@dataclass(frozen=True)
class ScoredRows:
    """Rows with labels, their scores, and the threshold at which a model decides."""

    rows: pl.DataFrame
    scores: Floats
    threshold: float
    use_case: UseCase

    @cached_property
    def labels(self) -> Labels:
        """(rows,) 0 or 1."""
        return self.rows.get_column(LABEL).to_numpy().astype(np.int64)

    @cached_property
    def days(self) -> Days:
        """The days of the rows' T."""
        return Days.of(self.rows)

    @cached_property
    def ranked(self) -> RankedScores:
        """The scores in their order, with what each missed row costs."""
        return RankedScores(self.labels, self.scores, self.costs.of_missing(self.rows))

    @property
    def costs(self) -> DecisionCosts:
        """What decisions cost here."""
        return self.use_case.costs

    @cached_property
    def _reviews(self) -> Mapping[str, DailyShare]:
        return self.use_case.daily_shares(self.rows, self.scores)

    @cached_property
    def _squared_errors(self) -> Floats:
        return squared_errors(self.labels, self.scores)

    def metrics(self, of_days: Floats) -> dict[str, float]:
        """The metrics where each day counts so many times; NaN for one that says nothing.

        `base_rate` is the share of positives: the average precision of a model that knows
        nothing. `brier` is the mean squared error of the scores as probabilities.
        """
        weights = self.days.weights(of_days)
        points = self.ranked.points(weights)
        ranking = _ranking(points) if points.has_both_classes else dict.fromkeys(_RANKING, _NAN)
        return {
            **ranking,
            **at_threshold(points, self.threshold),
            "brier": float(np.average(self._squared_errors, weights=weights)),
            "saved_cost_share": self.costs.saved_share(points, self.threshold),
            **{name: share.of_days(of_days) for name, share in self._reviews.items()},
            "base_rate": float(np.average(self.labels, weights=weights)),
        }

    def intervals(self, *, seed: int = 0, replicates: int = REPLICATES) -> dict[str, Interval]:
        """The metrics with their intervals, by a bootstrap of whole days."""
        return by_day(self.metrics, self.days.count, seed=seed, replicates=replicates)

    def slices(self) -> list[Slice]:
        """What was caught of each slice of the use case whose columns these rows have."""
        judged = self.rows.with_columns(pl.Series("flagged", self.scores >= self.threshold))
        return [
            Slice.of(name, judged.filter(at))
            for name, at in self.use_case.slices.items()
            if set(at.meta.root_names()) <= set(judged.columns)
        ]


_RANKING = ("roc_auc", "average_precision", "recall_at_5_percent_wrong_blocks")


def _ranking(points: OperatingPoints) -> dict[str, float]:
    values = (roc_auc(points), average_precision(points), recall_at_wrong_blocks(points))
    return dict(zip(_RANKING, values, strict=True))


def _share(flags: pl.Series) -> float:
    return float(flags.sum() / len(flags)) if len(flags) else _NAN


def useless_features(rows: pl.DataFrame, feature_order: Sequence[str]) -> tuple[str, ...]:
    """A warning for each feature that is null, or has the same value, in every row."""
    warnings = []
    for name in feature_order:
        values = rows[name]
        if values.null_count() == len(values):
            warnings.append(f"feature {name!r} is null in every training row")
        elif values.n_unique() == 1:
            warnings.append(f"feature {name!r} is {values[0]} in every training row")
    return tuple(warnings)
