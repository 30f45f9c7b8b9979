"""How well scores rank and decide: functions of a model's operating points.

Written out here since each is asked for a thousand times by a bootstrap, which sorts once;
the tests hold each against scikit-learn's. Both classes must be there.
"""

from __future__ import annotations

import numpy as np

from training.operating_points import Bools, Floats, Labels, OperatingPoints

# The share of genuine rows that may be blocked, as the business set it.
WRONG_BLOCKS = 0.05


def roc_auc(points: OperatingPoints) -> float:
    """The probability that a positive scores above a negative; ties count half."""
    x = np.concatenate([[0.0], points.false_positive_rate])
    y = np.concatenate([[0.0], points.recall])
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2)


def average_precision(points: OperatingPoints) -> float:
    """The precision at each distinct score, weighted by the recall that it adds."""
    return float((points.precision * np.diff(points.recall, prepend=0.0)).sum())


def recall_at_wrong_blocks(points: OperatingPoints, *, share: float = WRONG_BLOCKS) -> float:
    """The highest recall at which at most `share` of the negatives are flagged; 0 for none."""
    allowed = points.false_positive_rate <= share
    return float(points.recall[allowed].max(initial=0.0))


def at_threshold(points: OperatingPoints, threshold: float) -> dict[str, float]:
    """Precision, recall, F1 and F1.5 of deciding at `threshold`; 0 where nothing is flagged."""
    reached = int(np.count_nonzero(points.thresholds >= threshold))
    precision = recall = 0.0
    if reached and points.flagged[reached - 1]:
        precision = float(points.precision[reached - 1])
        recall = float(points.recall[reached - 1])
    return {
        "precision": precision,
        "recall": recall,
        "f1": float(f_score(precision, recall)),
        "f1_5": float(f_score(precision, recall, beta=1.5)),
    }


def f_score(precision: Floats | float, recall: Floats | float, *, beta: float = 1.0) -> Floats:
    """The F-beta score; recall counts `beta` times as much; 0 where both are 0.

    Source: van Rijsbergen, Information Retrieval (1979).
    """
    squared = beta * beta
    below = squared * np.asarray(precision) + np.asarray(recall)
    above = (1 + squared) * np.asarray(precision) * np.asarray(recall)
    return np.asarray(above / np.maximum(below, np.finfo(np.float64).tiny))


def squared_errors(labels: Labels, scores: Floats) -> Floats:
    """A row's part of the Brier score, which is their mean."""
    return np.asarray((scores - labels) ** 2, dtype=np.float64)


def reliability(
    labels: Labels, scores: Floats, *, bins: int = 10
) -> list[tuple[float, float, int]]:
    """Mean score, share of positives and rows of each of `bins` equally wide ranges of scores.

    Ranges without rows are left out.
    """
    position = np.minimum((scores * bins).astype(np.int64), bins - 1)
    found = []
    for bin_ in np.unique(position):
        inside: Bools = position == bin_
        found.append(
            (float(scores[inside].mean()), float(labels[inside].mean()), int(inside.sum()))
        )
    return found
