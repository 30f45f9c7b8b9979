"""What a model does at every threshold that its scores allow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class OperatingPoints:
    """Counts when everything from a threshold up is positive: one entry a distinct score.

    Highest score first. `flagged` and `hits` count rows and positives from the threshold
    up, `caught_cost` sums what those positives would have cost. With weights they are sums
    of weights, so that a row may count twice or not at all.
    """

    thresholds: Floats
    flagged: Floats
    hits: Floats
    caught_cost: Floats

    @property
    def has_both_classes(self) -> bool:
        """Whether there are positives and negatives, without which most metrics say nothing."""
        return bool(0 < self.hits[-1] < self.flagged[-1])

    @property
    def precision(self) -> Floats:
        """The share of positives among what is flagged; 1 where nothing is."""
        everything = np.ones_like(self.hits)
        return np.divide(self.hits, self.flagged, out=everything, where=self.flagged > 0)

    @property
    def recall(self) -> Floats:
        """The share of the positives that is flagged; NaN where there are none."""
        return _share(self.hits)

    @property
    def false_positive_rate(self) -> Floats:
        """The share of the negatives that is flagged; NaN where there are none."""
        return _share(self.flagged - self.hits)


@dataclass(frozen=True)
class RankedScores:
    """Labels (0/1) and scores in the order of the scores, sorted once for many weightings.

    `costs` are what each row costs if it is positive and missed, by default 1.
    """

    labels: Labels
    scores: Floats
    costs: Floats | None = None

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Row numbers, the highest score first."""
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """In that order the last row of each distinct score."""
        ordered = self.scores[self.order]
        return np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)

    def points(self, weights: Floats | None = None) -> OperatingPoints:
        """The points, each row counted `weights` times; once by default."""
        counts = np.ones(len(self.scores)) if weights is None else weights[self.order]
        hits = counts * self.labels[self.order]
        costs = hits if self.costs is None else hits * self.costs[self.order]
        return OperatingPoints(
            self.scores[self.order][self._ends],
            np.cumsum(counts)[self._ends],
            np.cumsum(hits)[self._ends],
            np.cumsum(costs)[self._ends],
        )


def _share(counts: Floats) -> Floats:
    total = counts[-1]
    return np.asarray(counts / total) if total else np.full(len(counts), np.nan)
