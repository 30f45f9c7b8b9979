"""The metrics equal scikit-learn's, of rows and of rows that count several times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import calibration
from sklearn import metrics as reference

from training.metrics import (
    average_precision,
    decision_metrics,
    recall_at_wrong_blocks,
    reliability,
    roc_auc,
    squared_errors,
)
from training.operating_points import Floats, Labels, RankedScores

# Few distinct scores, so that ties are the rule.
_SCORED = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 8).map(lambda n: n / 8), st.integers(0, 3)),
    min_size=2,
    max_size=60,
).filter(lambda rows: len({label for label, _, weight in rows if weight}) == 2)


def _arrays(rows: list[tuple[int, float, int]]) -> tuple[Labels, Floats, Floats]:
    labels, scores, weights = zip(*rows, strict=True)
    return np.array(labels, np.int64), np.array(scores, np.float64), np.array(weights, np.float64)


@given(_SCORED)
def test_ranking_metrics(rows: list[tuple[int, float, int]]) -> None:
    labels, scores, weights = _arrays(rows)
    points = RankedScores(labels, scores).points(weights)
    assert points.has_both_classes
    assert roc_auc(points) == pytest.approx(
        reference.roc_auc_score(labels, scores, sample_weight=weights)
    )
    assert average_precision(points) == pytest.approx(
        reference.average_precision_score(labels, scores, sample_weight=weights)
    )


@given(_SCORED, st.integers(0, 9).map(lambda n: n / 8))
def test_decision_metrics(rows: list[tuple[int, float, int]], threshold: float) -> None:
    labels, scores, weights = _arrays(rows)
    given_ = {"average": "binary", "zero_division": 0, "sample_weight": weights}
    positive = scores >= threshold
    precision, recall, f1, _ = reference.precision_recall_fscore_support(labels, positive, **given_)
    f1_5 = reference.fbeta_score(labels, positive, beta=1.5, **given_)
    found = decision_metrics(labels, positive, weights)
    expected = {"precision": precision, "recall": recall, "f1": f1, "f1_5": f1_5}
    assert found == pytest.approx(expected)


@given(_SCORED, st.sampled_from([0.05, 0.3, 0.6]))
def test_recall_at_wrong_blocks_is_the_best_that_is_allowed(
    rows: list[tuple[int, float, int]], share: float
) -> None:
    labels, scores, weights = _arrays(rows)
    points = RankedScores(labels, scores).points(weights)
    negatives, positives = (weights[labels == one].sum() for one in (0, 1))
    allowed = [0.0]
    for threshold in np.unique(scores):
        flagged = scores >= threshold
        if weights[flagged & (labels == 0)].sum() <= share * negatives:
            allowed.append(weights[flagged & (labels == 1)].sum() / positives)
    assert recall_at_wrong_blocks(points, share=share) == pytest.approx(max(allowed))


@given(_SCORED)
def test_calibration(rows: list[tuple[int, float, int]]) -> None:
    labels, scores, _ = _arrays(rows)
    brier = reference.brier_score_loss(labels, scores)
    assert squared_errors(labels, scores).mean() == pytest.approx(brier)
    shares, means = calibration.calibration_curve(labels, np.minimum(scores, 1 - 1e-9), n_bins=10)
    found = reliability(labels, np.minimum(scores, 1 - 1e-9))
    assert [mean for mean, _, _ in found] == pytest.approx(list(means))
    assert [share for _, share, _ in found] == pytest.approx(list(shares))
    assert sum(count for _, _, count in found) == len(labels)
