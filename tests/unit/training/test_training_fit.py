"""The fit: seeded, stopped and thresholded on validation, blind to the test."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from labelled_rows import DAY, START, labelled_rows

from lockstep.contract.predictor import Predictor
from training.costs import DecisionCosts
from training.fit import FitParameters, OnTree, fit, pool, refitted
from training.run import scored_by
from training.split import Split, plan_split
from training.split_rules import SplitRules
from training.tasks.two_classes import RecallSlice, TwoClasses
from training.use_case import LABEL, UseCase
from training.useless_features import useless_features

_FEATURES = ("signal", "noise")
_PARAMETERS = FitParameters(iterations=20, early_stopping_rounds=5)
_USE_CASE = UseCase(
    name="toy",
    feature_service="toy_v1",
    row_id="transaction_id",
    labels_table="toy/verdicts",
    entity_rows=lambda lake, as_of, since=None: pl.DataFrame(),
    task=TwoClasses(DecisionCosts("cents", wrong_block=1.0, missed="amount")),
    slices={"loud": pl.col("signal") > 1},
)


@pytest.fixture(scope="module")
def split() -> Split:
    rows = labelled_rows(days=60)
    generator = np.random.default_rng(0)
    rows = rows.with_columns(
        (pl.col(LABEL) + pl.Series(generator.normal(scale=0.4, size=rows.height))).alias("signal"),
        pl.Series("noise", generator.normal(size=rows.height)),
        pl.lit(5).alias("amount"),
    )
    return plan_split(rows, _USE_CASE.task, SplitRules()).split(rows)


def _ignore(done: int, best: float) -> bool:
    return True


def _fit(split: Split, on_tree: OnTree = _ignore) -> Predictor:
    return fit(
        split,
        use_case=_USE_CASE,
        feature_order=_FEATURES,
        fingerprint="5f2a",
        as_of=START + 67 * DAY,
        parameters=_PARAMETERS,
        on_tree=on_tree,
    )


def _scores(predictor: Predictor, rows: pl.DataFrame) -> list[float]:
    return list(predictor.scores(rows.select(_FEATURES).to_dict()))


def test_the_same_rows_and_seed_give_the_same_model(split: Split) -> None:
    first, second = _fit(split), _fit(split)
    assert _scores(first, split.test) == _scores(second, split.test)
    assert first.artefact == second.artefact


def test_the_test_fold_shapes_nothing(split: Split) -> None:
    flipped = dataclasses.replace(split, test=split.test.with_columns(1 - pl.col(LABEL)))
    kept, other = _fit(split), _fit(flipped)
    assert kept.artefact.threshold == other.artefact.threshold
    assert _scores(kept, split.test) == _scores(other, split.test)


def test_the_artefact_says_how_to_feed_the_model(split: Split) -> None:
    artefact = _fit(split).artefact
    assert artefact.feature_order == _FEATURES
    assert (artefact.use_case, artefact.feature_service) == ("toy", "toy_v1")
    assert artefact.trained_as_of == START + 67 * DAY
    assert artefact.fingerprint == "5f2a"


def test_every_tree_is_reported_and_the_model_keeps_as_many_as_are_best(split: Split) -> None:
    seen: list[tuple[int, float]] = []
    predictor = _fit(split, lambda done, best: seen.append((done, best)) is None)
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert len(seen) <= _PARAMETERS.iterations
    bests = [best for _, best in seen]
    assert predictor.model.tree_count_ == bests.index(max(bests)) + 1 < len(seen)


def test_metrics_of_a_model_that_sees_the_signal(split: Split) -> None:
    predictor = _fit(split)
    scored = scored_by(predictor, split.test, _USE_CASE)
    metrics = scored.intervals(replicates=50)
    assert metrics["base_rate"].value == pytest.approx(0.25)
    assert metrics["roc_auc"].low > 0.85
    assert metrics["average_precision"].low > metrics["base_rate"].value + 0.4
    assert metrics["saved_cost_share"].value > 0.5
    (loud,) = scored.slices()
    assert isinstance(loud, RecallSlice)
    assert (loud.name, loud.rows) == ("loud", split.test.filter(pl.col("signal") > 1).height)


def test_a_fit_ends_where_it_is_told_to(split: Split) -> None:
    assert _fit(split, lambda done, best: done < 3).model.tree_count_ <= 3


def test_a_model_without_validation_has_the_trees_it_was_given(split: Split) -> None:
    task = _USE_CASE.task
    fitted = refitted(task, pool(split.train, _FEATURES, task), _PARAMETERS, trees=7)
    assert fitted.tree_count_ == 7


def test_the_threshold_is_the_cheapest_of_validation(split: Split) -> None:
    predictor = _fit(split)
    scored = scored_by(predictor, split.validation, _USE_CASE)
    costs = {}
    for threshold in set(scored.scores):
        flagged = scored.scores >= threshold
        missed = 5 * (~flagged & (scored.labels == 1)).sum()
        costs[threshold] = missed + (flagged & (scored.labels == 0)).sum()
    assert costs[predictor.artefact.threshold] == min(costs.values())


def test_folds_are_described(split: Split) -> None:
    test = split.describe(_USE_CASE.task)["test"]
    assert (test["rows"], test["positives"]) == (56, 14)
    assert test["from"] == "2018-05-24T00:00:00+00:00"
    assert test["labels_known_by"] == "2018-06-06T21:00:00+00:00"


def test_null_and_constant_features_are_reported() -> None:
    rows = pl.DataFrame({"a": [None, None], "b": [3, 3], "c": [3, None], "d": [1, 2]})
    assert useless_features(rows, ("a", "b", "c", "d")) == (
        "feature 'a' is null in every training row",
        "feature 'b' is 3 in every training row",
    )
