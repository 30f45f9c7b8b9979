"""Metrics of several classes equal scikit-learn's; the threshold earns most."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from lockstep.contract.targets import ClassTarget, Floats, QuantileTarget
from training.errors import TrainingError
from training.tasks.several_classes import ScoredSeveralClasses, SeveralClasses
from training.use_case import UseCase

TASK = SeveralClasses(("hold", "buy", "sell"), ("buy_return", "sell_return"))
USE_CASE = UseCase(
    name="toy",
    feature_service="toy_v1",
    row_id="id",
    labels_table="toy/verdicts",
    entity_rows=lambda lake, as_of, since=None: pl.DataFrame(),
    task=TASK,
)
START = datetime(2024, 1, 1, tzinfo=UTC)
# Tenths, so that ties are the rule; in the order of the classes.
_ROW = st.tuples(st.integers(0, 2), *[st.integers(1, 10)] * 3, *[st.integers(-5, 5)] * 2)
_ROWS = st.lists(_ROW, min_size=6, max_size=50).filter(
    lambda rows: {r[0] for r in rows} == {0, 1, 2}
)


def scored(rows: list[tuple[int, ...]], threshold: float = 0.4) -> ScoredSeveralClasses:
    labels, *columns = (np.array(column) for column in zip(*rows, strict=True))
    odds = np.column_stack(columns[:3]).astype(np.float64)
    outputs = odds / odds.sum(axis=1, keepdims=True)
    frame = pl.DataFrame(
        {
            "event_timestamp": [START + timedelta(hours=n) for n in range(len(labels))],
            "label": labels,
            "buy_return": columns[3] / 100,
            "sell_return": columns[4] / 100,
        }
    )
    return TASK.scored(frame, outputs, ClassTarget(threshold, 3), USE_CASE)


@given(_ROWS)
def test_metrics_of_probabilities_and_ranking(rows: list[tuple[int, ...]]) -> None:
    one = scored(rows)
    found = one.own_metrics(np.ones(len(rows)))
    assert found["log_loss"] == pytest.approx(reference.log_loss(one.labels, one.outputs))
    shares = np.bincount(one.labels, minlength=3) / len(rows)
    constant = reference.log_loss(one.labels, np.tile(shares, (len(rows), 1)))
    assert found["log_loss_below_constant"] == pytest.approx(constant - found["log_loss"])
    assert found["weighted_auc"] == pytest.approx(
        reference.roc_auc_score(one.labels, one.outputs, multi_class="ovr", average="weighted")
    )
    moved = one.labels > 0
    told = one.outputs[moved, 1] / one.outputs[moved, 1:].sum(axis=1)
    direction = reference.roc_auc_score(one.labels[moved] == 1, told)
    assert found["buy_against_sell_auc"] == pytest.approx(direction)
    moving = reference.roc_auc_score(one.labels == 0, one.outputs[:, 0])
    assert found["hold_against_rest_auc"] == pytest.approx(moving)


@given(_ROWS, st.lists(st.integers(0, 3), min_size=50, max_size=50))
def test_a_row_that_counts_twice_is_as_two_rows(
    rows: list[tuple[int, ...]], counts: list[int]
) -> None:
    weights = np.array(counts[: len(rows)], np.float64)
    repeated = [row for row, n in zip(rows, counts, strict=False) for _ in range(n)]
    if {row[0] for row in repeated} != {0, 1, 2}:
        return
    expected = scored(repeated).own_metrics(np.ones(len(repeated)))
    assert scored(rows).own_metrics(weights) == pytest.approx(expected, nan_ok=True)


@given(_ROWS)
def test_no_threshold_earns_more_and_where_none_earns_nothing_is_done(
    rows: list[tuple[int, ...]],
) -> None:
    one = scored(rows)
    target = TASK.target(one.rows, one.outputs)
    assert isinstance(target, ClassTarget)

    def earned(threshold: float) -> float:
        return float(
            TASK.scored(one.rows, one.outputs, ClassTarget(threshold, 3), USE_CASE).gained.sum()
        )

    best = max(earned(threshold) for threshold in np.unique(one.outputs[:, 1:]))
    assert earned(target.threshold) == pytest.approx(max(best, 0.0), abs=1e-12)
    if best <= 0:
        assert target.threshold == 1.0


def test_what_decisions_earn() -> None:
    outputs: Floats = np.array([[0.1, 0.8, 0.1], [0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.2, 0.5, 0.3]])
    rows = pl.DataFrame(
        {
            "event_timestamp": [START] * 4,
            "label": [1, 2, 0, 2],
            "buy_return": [0.03, 0.0, 9.0, -0.01],
            "sell_return": [9.0, 0.02, 9.0, 9.0],
        }
    )
    one = TASK.scored(rows, outputs, ClassTarget(0.45, 3), USE_CASE)
    found = one.own_metrics(np.ones(4))
    assert one.decided.tolist() == [1, 2, 0, 1]
    assert found["decided_share"] == 0.75
    assert found["earned_per_decision"] == pytest.approx(0.04 / 3)
    assert found["earned_per_row"] == pytest.approx(0.01)


def test_a_model_that_never_acts_has_earned_nothing_that_could_be_an_edge() -> None:
    rows = [(n % 3, 1, 1, 1, 5, 5) for n in range(30)]
    found = scored(rows, threshold=1.0).own_metrics(np.ones(30))
    assert np.isnan(found["earned_per_decision"]) and found["earned_per_row"] == 0


def test_a_fold_without_a_class_and_a_model_of_something_else_are_refused() -> None:
    rows = pl.DataFrame({"label": [0, 2, 2]})
    with pytest.raises(TrainingError, match=r"the test rows \(3\) have nothing of buy"):
        TASK.check_fold("test", rows)
    with pytest.raises(TrainingError, match="answers something else than the 3 classes"):
        TASK.scored(rows, np.ones((3, 1)), QuantileTarget((0.5,)), USE_CASE)
    assert TASK.describe(rows) == {"hold": 1, "buy": 0, "sell": 2}
