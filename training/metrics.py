"""How well scores rank and decide; pure functions of labels (0/1) and scores.

Written out here because importing scikit-learn costs more than the whole evaluation;
the tests hold each against scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoints:
    """Precision and recall when everything from a threshold up is positive.

    One entry for each distinct score, highest first. Both classes must be there.
    """

    thresholds: Scores
    precision: Scores
    recall: Scores

    @classmethod
    def of(cls, labels: Labels, scores: Scores) -> OperatingPoints:
        """The points of `scores`."""
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
        hits = np.cumsum(labels[order])[last_of_tie].astype(np.float64)
        return cls(ordered[last_of_tie], hits / (last_of_tie + 1), hits / hits[-1])


def roc_auc(labels: Labels, scores: Scores) -> float:
    """The probability that a positive scores above a negative; ties count half.

    >>> roc_auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875
    """
    positives, negatives = scores[labels == 1], np.sort(scores[labels == 0])
    below = np.searchsorted(negatives, positives, side="left")
    not_above = np.searchsorted(negatives, positives, side="right")
    return float((below + not_above).sum() / (2 * len(positives) * len(negatives)))


def average_precision(labels: Labels, scores: Scores) -> float:
    """The precision at each distinct score, weighted by the recall that it adds.

    >>> average_precision(np.array([0, 1, 1]), np.array([0.5, 0.4, 0.9]))
    0.8333333333333333
    """
    points = OperatingPoints.of(labels, scores)
    return float((points.precision * np.diff(points.recall, prepend=0.0)).sum())


def best_f1_threshold(labels: Labels, scores: Scores) -> float:
    """The threshold whose decisions have the highest F1; the higher one when two tie.

    >>> best_f1_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.8]))
    0.6
    """
    points = OperatingPoints.of(labels, scores)
    return float(points.thresholds[np.argmax(_f1(points.precision, points.recall))])


def decision_metrics(labels: Labels, positive: NDArray[np.bool_]) -> dict[str, float]:
    """Precision, recall and F1 of decisions; 0 where nothing was decided positive.

    >>> decision_metrics(np.array([0, 1, 1]), np.array([True, True, False]))
    {'precision': 0.5, 'recall': 0.5, 'f1': 0.5}
    """
    hits = float(labels[positive].sum())
    precision = hits / max(float(positive.sum()), 1.0)
    recall = hits / max(float(labels.sum()), 1.0)
    f1 = float(_f1(np.array([precision]), np.array([recall]))[0])
    return {"precision": precision, "recall": recall, "f1": f1}


def _f1(precision: Scores, recall: Scores) -> Scores:
    return 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
