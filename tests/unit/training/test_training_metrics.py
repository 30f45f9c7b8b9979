"""The metrics equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from training.metrics import (
    Labels,
    Scores,
    average_precision,
    best_f1_threshold,
    decision_metrics,
    roc_auc,
)

# Few distinct scores, so that ties are the rule.
_SCORED = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 8).map(lambda n: n / 8)), min_size=2, max_size=60
).filter(lambda rows: len({label for label, _ in rows}) == 2)


def _arrays(rows: list[tuple[int, float]]) -> tuple[Labels, Scores]:
    return np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.float64)


@given(_SCORED)
def test_ranking_metrics(rows: list[tuple[int, float]]) -> None:
    labels, scores = _arrays(rows)
    assert roc_auc(labels, scores) == pytest.approx(reference.roc_auc_score(labels, scores))
    assert average_precision(labels, scores) == pytest.approx(
        reference.average_precision_score(labels, scores)
    )


@given(_SCORED, st.integers(0, 9).map(lambda n: n / 8))
def test_decision_metrics(rows: list[tuple[int, float]], threshold: float) -> None:
    labels, scores = _arrays(rows)
    positive = scores >= threshold
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        labels, positive, average="binary", zero_division=0
    )
    expected = {"precision": precision, "recall": recall, "f1": f1}
    assert decision_metrics(labels, positive) == pytest.approx(expected)


@given(_SCORED)
def test_no_threshold_has_a_higher_f1(rows: list[tuple[int, float]]) -> None:
    labels, scores = _arrays(rows)
    chosen = best_f1_threshold(labels, scores)
    f1 = {t: decision_metrics(labels, scores >= t)["f1"] for t in np.unique(scores)}
    assert f1[chosen] == pytest.approx(max(f1.values()))
