"""No fold of a walk ever knows what its test asks, and shuffled labels show nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_rows import DAY, START, labelled_rows

from training.costs import DecisionCosts
from training.dataset import Dataset
from training.errors import TrainingError
from training.fit import FitParameters
from training.leak import assert_no_leak
from training.split_rules import SplitRules
from training.tasks.two_classes import TwoClasses
from training.use_case import UseCase
from training.walk_forward import WalkedFold, WalkForward, WalkOptions

USE_CASE = UseCase(
    name="toy",
    feature_service="toy_v1",
    row_id="transaction_id",
    labels_table="toy/verdicts",
    entity_rows=lambda lake, as_of, since=None: pl.DataFrame(),
    task=TwoClasses(DecisionCosts("cents", 1.0, "amount")),
)
OPTIONS = WalkOptions(3, SplitRules(test_days=10), FitParameters(iterations=10, depth=3))


def walk_of(days: int, delay: timedelta = 2 * DAY) -> WalkForward:
    rows = labelled_rows(days=days, a_day=20, delay=delay)
    random = np.random.default_rng(0)
    rows = rows.with_columns(
        (pl.col("label") + pl.Series(random.normal(scale=0.5, size=len(rows)))).alias("signal"),
        pl.Series("noise", random.normal(size=len(rows))),
        pl.lit(5).alias("amount"),
    )
    dataset = Dataset(rows, ("signal", "noise"), {}, "fingerprint")
    return WalkForward(USE_CASE, dataset, START + (days + 90) * DAY)


@settings(max_examples=25)
@given(
    folds=st.integers(1, 4),
    test_days=st.integers(1, 12),
    embargo_days=st.integers(0, 4),
    delay_hours=st.integers(1, 200),
)
def test_no_fold_knows_its_test_and_tests_follow_each_other(
    folds: int, test_days: int, embargo_days: int, delay_hours: int
) -> None:
    walk = walk_of(90, timedelta(hours=delay_hours))
    rules = SplitRules(test_days=test_days, embargo_days=embargo_days)
    found = walk.splits(replace(OPTIONS, folds=folds, split=rules))
    assert len(found) == folds
    for split in found:
        assert_no_leak(split, row_id="transaction_id", as_of=walk.as_of)
        first = split.test["event_timestamp"].min()
        assert split.validation["label_known_at"].max() < first - embargo_days * DAY  # type: ignore[operator]
    tested = pl.concat([split.test for split in found])["transaction_id"]
    assert tested.to_list() == walk.dataset.rows["transaction_id"][-len(tested) :].to_list()
    assert len(tested) == folds * test_days * 20


def test_all_tests_are_judged_together_each_as_its_model_decided() -> None:
    folds: list[WalkedFold] = []
    scored, found = walk_of(90).run(OPTIONS, folds.append)
    assert found == folds and len(folds) == 3
    assert scored.rows.height == 3 * 10 * 20
    assert scored.decided.tolist() == np.concatenate([f.scored.decided for f in folds]).tolist()
    assert scored.intervals(replicates=50)["roc_auc"].low > 0.8


def test_shuffled_labels_show_nothing_and_the_test_keeps_its_own() -> None:
    scored, folds = walk_of(90).run(replace(OPTIONS, shuffled=True), lambda fold: None)
    assert abs(scored.intervals(replicates=50)["roc_auc"].value - 0.5) < 0.15
    plain = walk_of(90).splits(OPTIONS)
    for fold, split in zip(folds, plain, strict=True):
        assert fold.split.test.equals(split.test)
        assert sorted(fold.split.train["label"]) == sorted(split.train["label"])
        assert not fold.split.train.equals(split.train)


def test_features_that_say_nothing_are_left_out() -> None:
    _, folds = walk_of(90).run(replace(OPTIONS, select_above=0.1), lambda fold: None)
    assert {fold.predictor.artefact.feature_order for fold in folds} == {("signal",)}


def test_more_folds_than_days_is_an_error() -> None:
    with pytest.raises(TrainingError, match="--folds needs labelled rows from"):
        walk_of(30).splits(OPTIONS)
