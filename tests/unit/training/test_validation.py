"""Trees and parameters are chosen by the mean of several earlier folds, never by later ones."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from labelled_rows import DAY, START, labelled_rows

from training.backtest import Backtest
from training.costs import DecisionCosts
from training.fit import FitParameters, boosted
from training.protocol import Protocol
from training.search import CHECKPOINT
from training.tasks.two_classes import TwoClasses
from training.use_case import load_use_case
from training.validation import TrialFit, Validation

NAMES = ("signal", "noise")
TASK = TwoClasses(DecisionCosts("cents", 1.0, "amount"))
PARAMETERS = FitParameters(iterations=60, depth=3, learning_rate=0.3, early_stopping_rounds=5)


def rows_of(seed: int, *, rows: int = 300) -> pl.DataFrame:
    """A signal that is right about a label in most rows, and a number that says nothing."""
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < 0.2).astype(int)
    signal = label + rng.normal(0, 0.8, rows)
    return pl.DataFrame({"label": label, "signal": signal, "noise": rng.normal(size=rows)})


@pytest.fixture
def validation() -> Validation:
    folds = [(rows_of(2 * n), rows_of(2 * n + 1)) for n in range(3)]
    return Validation.of(TASK, folds, NAMES)


def curves_of(validation: Validation) -> list[list[float]]:
    patient = FitParameters(**(vars(PARAMETERS) | {"early_stopping_rounds": None}))
    return [
        boosted(TASK, fit.pool(NAMES, TASK), by.pool(NAMES, TASK), patient, lambda *_: True)[1]
        for fit, by in validation.folds
    ]


def test_trees_are_where_the_mean_of_all_folds_is_highest(validation: Validation) -> None:
    curves = curves_of(validation)
    assert [len(curve) for curve in curves] == [60, 60, 60]
    judged = validation.judged(PARAMETERS, lambda *_: True)
    assert judged.trees == int(np.mean(curves, axis=0).argmax()) + 1
    # Each fold for itself would have chosen otherwise.
    assert any(judged.trees != int(np.argmax(curve)) + 1 for curve in curves)
    assert [len(scores) for scores in judged.outputs] == [300, 300, 300]


def test_one_fold_stops_early_and_chooses_its_own_best(validation: Validation) -> None:
    alone = Validation(TASK, NAMES, validation.folds[:1])
    asked: list[int] = []
    judged = alone.judged(PARAMETERS, lambda done, _: asked.append(done) is None)
    assert len(asked) < 60
    assert judged.trees == int(np.argmax(curves_of(alone)[0][: len(asked)])) + 1


def test_scores_are_those_of_so_many_trees(validation: Validation) -> None:
    judged = validation.judged(PARAMETERS, lambda *_: True)
    fit, by = validation.folds[1]
    few = FitParameters(
        **(vars(PARAMETERS) | {"early_stopping_rounds": None, "iterations": judged.trees})
    )
    model, _ = boosted(TASK, fit.pool(NAMES, TASK), by.pool(NAMES, TASK), few, lambda *_: True)
    expected = model.predict_proba(by.pool(NAMES, TASK))[:, 1]
    np.testing.assert_allclose(judged.outputs[1][:, 0], expected, rtol=1e-12)


def test_trees_are_counted_over_all_folds_and_the_mean_is_told(validation: Validation) -> None:
    told: list[tuple[int, float]] = []
    validation.judged(PARAMETERS, lambda done, best: told.append((done, best)) is None)
    assert [done for done, _ in told] == list(range(1, 181))
    curves = curves_of(validation)
    assert told[59][1] == max(curves[0])
    assert told[60][1] == pytest.approx((max(curves[0]) + curves[1][0]) / 2)
    assert told[-1][1] == pytest.approx(np.mean([max(curve) for curve in curves]))


def test_a_hopeless_trial_ends_and_no_other_fold_begins(validation: Validation) -> None:
    fitting = TrialFit(validation, PARAMETERS)
    ended = fitting.evaluate(7, {"depth": 4.0}, lambda curve: len(curve) == 3)
    # Of the first fold's 60 trees two checkpoints, the third is in the second fold.
    assert (len(ended.curve), ended.is_pruned) == (3, True)
    assert ended.trees <= 3 * CHECKPOINT - 60
    whole = fitting.evaluate(7, {"depth": 4.0}, lambda curve: False)
    assert (len(whole.curve), whole.is_pruned) == (180 // CHECKPOINT, False)


def test_a_fold_is_never_judged_by_a_label_from_the_test_on() -> None:
    protocol = Protocol(validation_folds=2)
    rows = labelled_rows(days=60, positive_every=23)
    late = pl.col("event_timestamp") + pl.duration(days=pl.int_range(pl.len()) % 13)
    rows = rows.with_columns(label_known_at=late)
    backtest = Backtest(load_use_case("fraud"), rows, (), protocol)
    start = START + 30 * DAY
    earlier = backtest.earlier(start)
    assert [fold.test["event_timestamp"].min() for fold in earlier] == [
        START + timedelta(days=30),
        START + timedelta(days=23),
    ]
    for fold in earlier:
        assert fold.test.height > 0
        assert fold.test["label_known_at"].max() < protocol.test_start(start)  # type: ignore[operator]
    everything = protocol.fold(rows, start - 14 * DAY).test
    assert earlier[0].test.height < everything.height
