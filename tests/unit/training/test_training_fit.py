"""The fit: seeded, stopped and thresholded on validation, blind to the test."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from labelled_rows import DAY, START, labelled_rows

from lockstep.contract.predictor import Predictor
from training.evaluate import describe, evaluate, useless_features
from training.fit import FitParameters, OnTree, fit
from training.split import Split, plan_split
from training.use_case import LABEL, UseCase

_FEATURES = ("signal", "noise")
_PARAMETERS = FitParameters(iterations=20, early_stopping_rounds=5)
_USE_CASE = UseCase(
    name="toy",
    feature_service="toy_v1",
    row_id="transaction_id",
    labels_table="toy/verdicts",
    entity_rows=lambda lake, as_of: pl.DataFrame(),
    extra_metrics=lambda rows, scores: {"rows": float(len(scores))},
)


@pytest.fixture(scope="module")
def split() -> Split:
    rows = labelled_rows(days=60)
    generator = np.random.default_rng(0)
    rows = rows.with_columns(
        (pl.col(LABEL) + pl.Series(generator.normal(scale=0.4, size=rows.height))).alias("signal"),
        pl.Series("noise", generator.normal(size=rows.height)),
    )
    return plan_split(rows).split(rows)


def _ignore(done: int, best: float) -> None:
    pass


def _fit(split: Split, on_tree: OnTree = _ignore) -> Predictor:
    return fit(
        split,
        use_case=_USE_CASE,
        feature_order=_FEATURES,
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


def test_every_tree_is_reported(split: Split) -> None:
    seen: list[int] = []
    predictor = _fit(split, lambda done, best: seen.append(done))
    assert seen == list(range(1, len(seen) + 1))
    assert predictor.model.tree_count_ <= len(seen) <= _PARAMETERS.iterations


def test_metrics_of_a_model_that_sees_the_signal(split: Split) -> None:
    predictor = _fit(split)
    metrics = evaluate(predictor, split.test, _USE_CASE)
    assert metrics["base_rate"] == pytest.approx(0.25)
    assert metrics["rows"] == split.test.height
    assert metrics["roc_auc"] > 0.9
    assert metrics["average_precision"] > metrics["base_rate"] + 0.4


def test_folds_are_described(split: Split) -> None:
    test = describe(split)["test"]
    assert (test["rows"], test["positives"]) == (56, 14)
    assert test["from"] == "2018-05-24T00:00:00+00:00"
    assert test["labels_known_by"] == "2018-06-06T21:00:00+00:00"


def test_null_and_constant_features_are_reported() -> None:
    rows = pl.DataFrame({"a": [None, None], "b": [3, 3], "c": [3, None], "d": [1, 2]})
    assert useless_features(rows, ("a", "b", "c", "d")) == (
        "feature 'a' is null in every training row",
        "feature 'b' is 3 in every training row",
    )
