"""The compiled trees: CatBoost's own scores, to the last bit, or none at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from catboost import CatBoostClassifier, Pool
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lockstep.contract import trees as module
from lockstep.contract.trees import IS_COMPILED, Trees

ROWS = 400


def columns(seed: int) -> NDArray[np.float64]:
    """Counts, reals with nulls, and a feature with few values."""
    rng = np.random.default_rng(seed)
    real = rng.lognormal(3, 2, ROWS)
    real[rng.random(ROWS) < 0.2] = np.nan
    return np.stack([rng.integers(0, 50, ROWS), real, rng.integers(0, 3, ROWS) / 2], axis=1)


def fitted(seed: int = 0, **parameters: Any) -> CatBoostClassifier:
    """A model of three features that are told apart by noise as well."""
    rng, rows = np.random.default_rng(seed), columns(seed)
    label = (rows[:, 0] > 30) ^ (rng.random(ROWS) < 0.2)
    given = {"iterations": 30, "logging_level": "Silent", "allow_writing_files": False}
    return CatBoostClassifier(**given | parameters).fit(Pool(rows, label=label.astype(int)))


def theirs(model: CatBoostClassifier, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(model.predict_proba(rows))[:, 1]


def made(model: Any) -> Trees:
    """The trees of a model that has to have them."""
    trees = Trees.of(model)
    assert trees is not None
    return trees


def test_the_extension_was_built() -> None:
    assert IS_COMPILED


@given(
    st.integers(0, 2**16),
    st.integers(1, 8),
    st.sampled_from(["Min", "Max"]),
    st.sampled_from([1, 30]),
)
@settings(max_examples=12)
def test_every_score_is_that_of_catboost(seed: int, depth: int, nulls: str, trees: int) -> None:
    model = fitted(seed, depth=depth, nan_mode=nulls, iterations=trees, random_seed=seed)
    rows = np.concatenate([columns(seed), columns(seed + 1) * 1e3])
    compiled = made(model)
    for count in (1, 2, 3, 4, 63, 64, 65, len(rows)):
        ours = compiled.scores(rows[:count])
        np.testing.assert_array_equal(ours, theirs(model, rows[:count]))
    assert np.ptp(compiled.scores(rows)) > 0


@given(st.lists(st.tuples(*[st.floats(width=w) for w in (64, 32, 16)]), min_size=1, max_size=70))
def test_whatever_a_row_holds(values: list[tuple[float, ...]]) -> None:
    rows = np.array(values, np.float64)
    with np.errstate(over="ignore"):
        expected = theirs(MODEL, rows)
    np.testing.assert_array_equal(TREES.scores(rows), expected)


def test_a_row_scores_the_same_wherever_it_stands() -> None:
    rows = columns(3)
    together = TREES.scores(rows)
    assert together.tolist() == [TREES.scores(row[None])[0] for row in rows]


def test_weights_of_classes_and_a_trained_bias_are_kept() -> None:
    model = fitted(auto_class_weights="Balanced", boost_from_average=True)
    np.testing.assert_array_equal(made(model).scores(columns(5)), theirs(model, columns(5)))


@pytest.mark.parametrize("policy", ["Lossguide", "Depthwise"])
def test_trees_that_are_not_symmetric_are_left_to_catboost(policy: str) -> None:
    assert Trees.of(fitted(grow_policy=policy)) is None


def test_a_model_of_three_classes_is_left_to_catboost() -> None:
    rows = columns(0)
    model = CatBoostClassifier(iterations=5, logging_level="Silent", allow_writing_files=False)
    assert Trees.of(model.fit(rows, np.arange(ROWS) % 3)) is None


def test_a_model_with_categories_is_left_to_catboost() -> None:
    pool = Pool([["a", 1.0], ["b", 2.0], ["a", 3.0]] * 50, label=[0, 1, 1] * 50, cat_features=[0])
    model = CatBoostClassifier(iterations=5, logging_level="Silent", allow_writing_files=False)
    assert Trees.of(model.fit(pool)) is None


@pytest.mark.parametrize("part", ["leaf", "border", "bias", "nulls"])
def test_trees_that_differ_by_a_bit_are_left_to_catboost(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = module._exported

    def wrong(model: Any) -> Any:
        told: Any = exported(model)
        tree = told["oblivious_trees"][-1]
        if part == "leaf":
            tree["leaf_values"] = [np.nextafter(v, np.inf) * 1.001 for v in tree["leaf_values"]]
        elif part == "border":
            tree["splits"][0]["border"] = float(
                np.nextafter(np.float32(tree["splits"][0]["border"]), np.float32(np.inf))
            )
        elif part == "bias":
            told["scale_and_bias"][1][0] += 1e-12
        else:
            told["features_info"]["float_features"][1]["nan_value_treatment"] = "AsTrue"
        return told

    monkeypatch.setattr(module, "_exported", wrong)
    assert Trees.of(MODEL) is None


def test_rows_with_other_features_are_refused() -> None:
    with pytest.raises(ValueError, match="a number a feature"):
        TREES.scores(np.zeros((4, 2)))


@pytest.mark.parametrize(
    "changes",
    [{"depths": [17]}, {"depths": [-1]}, {"depths": [2]}, {"feature": 2}, {"feature": -1}]
    + [{"leaves": [1.0]}, {"leaves": [1.0] * 3}, {"depths": []}],
)
def test_trees_that_do_not_fit_together_are_refused(changes: dict[str, Any]) -> None:
    """Nothing that stands in a model file is read past its end."""
    sound: dict[str, Any] = {"depths": [1], "feature": 1, "leaves": [1.0, 2.0]}
    given = sound | changes
    with pytest.raises(ValueError, match="do not fit each other"):
        module.pack(
            np.zeros(2, np.uint8),
            np.array(given["depths"], np.int32),
            np.array([(given["feature"], 0.5)], module._SPLIT),
            np.array(given["leaves"]),
            1.0,
            0.0,
        )


MODEL = fitted()
TREES = made(MODEL)
