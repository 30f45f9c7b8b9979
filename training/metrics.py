"""How well scores rank and decide: functions of a model's operating points.

Written out here since each is asked for a thousand times by a bootstrap, which sorts once;
the tests hold each against scikit-learn's. Both classes must be there.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def decision_metrics(labels: Labels, flagged: Bools, weights: Floats) -> dict[str, float]:
    """Precision, recall, F1 and F1.5 of what is flagged; 0 where nothing is."""
    acted, positive = weights * flagged, weights * labels
    hits = float((acted * labels).sum())
    precision = hits / acted.sum() if hits else 0.0
    recall = hits / positive.sum() if hits else 0.0
    return {
        "precision": float(precision),
        "recall": float(recall),
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


def log_losses(labels: Labels, probabilities: Floats) -> Floats:
    """(rows,) minus the logarithm of the probability of the true class, of (rows, classes).

    A probability of 0 counts as the smallest positive float64.
    """
    told = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(told, np.finfo(np.float64).tiny)))


def pinball_losses(labels: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """(rows,) the mean over the levels of the loss whose least is at the quantile.

    Source: Koenker and Bassett, Regression Quantiles (1978).
    """
    over = labels[:, np.newaxis] - quantiles
    level = np.asarray(levels)
    return np.asarray(np.maximum(level * over, (level - 1) * over).mean(axis=1))


def r_squared(labels: Floats, estimates: Floats, weights: Floats) -> float:
    """The share of the labels' variance that estimates explain; NaN where there is none."""
    mean = np.average(labels, weights=weights)
    total = float((weights * (labels - mean) ** 2).sum())
    if not total:
        return float("nan")
    return 1 - float((weights * (labels - estimates) ** 2).sum()) / total


def weighted_median(values: Floats, weights: Floats) -> float:
    """The least value up to which half of the weight lies."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])
