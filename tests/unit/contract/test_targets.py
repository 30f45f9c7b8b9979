"""What a model's output means: classes and quantiles, by definition and on fitted models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from catboost import CatBoost
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lockstep.contract.targets import ClassTarget, QuantileTarget, TargetError, target_of

LEVELS = (0.05, 0.5, 0.95)
PROBABILITIES = st.integers(2, 5).flatmap(
    lambda classes: arrays(np.float64, (7, classes), elements=st.floats(0, 1))
)


def fitted(loss: str, labels: Any) -> tuple[CatBoost, Any]:
    """A small model of its loss, and the rows that it was fitted on."""
    rows = np.random.default_rng(3).normal(size=(400, 3))
    model = CatBoost(
        {
            "loss_function": loss,
            "iterations": 15,
            "depth": 3,
            "random_seed": 1,
            "logging_level": "Silent",
            "allow_writing_files": False,
        }
    )
    return model.fit(rows, labels(rows)), rows


@given(PROBABILITIES, st.floats(0, 1))
def test_what_is_decided_is_the_likeliest_class_that_reaches_the_threshold(
    probabilities: Any, threshold: float
) -> None:
    classes = probabilities.shape[1]
    target = ClassTarget(threshold, classes)
    outputs = probabilities[:, 1:] if classes == 2 else probabilities
    assert outputs.shape[1] == target.width
    scores, decided = target.scores(outputs), target.decided(outputs)
    for row, score, number in zip(probabilities.tolist(), scores, decided, strict=True):
        calls = row[1:]
        assert score == max(calls)
        assert number == (1 + calls.index(max(calls)) if max(calls) >= threshold else 0)


@pytest.mark.parametrize("classes", [2, 3])
def test_outputs_are_catboosts_probabilities(classes: int) -> None:
    loss = "Logloss" if classes == 2 else "MultiClass"
    model, rows = fitted(loss, lambda rows: np.digitize(rows[:, 0], [0, 1][: classes - 1]))
    target = ClassTarget(0.5, classes)
    outputs = target.outputs(model, rows, threads=1)
    everything = model.predict(rows, prediction_type="Probability")
    np.testing.assert_array_equal(outputs, everything[:, 1:] if classes == 2 else everything)
    alone = [target.outputs(model, row[None], threads=1)[0].tolist() for row in rows]
    assert outputs.tolist() == alone


@pytest.mark.parametrize("of_log", [True, False])
def test_outputs_are_catboosts_quantiles(of_log: bool) -> None:
    loss = f"MultiQuantile:alpha={','.join(map(str, LEVELS))}"
    model, rows = fitted(loss, lambda rows: rows[:, 0] * 0.5 + rows[:, 1] * 0.1 + 3)
    target = QuantileTarget(LEVELS, of_log=of_log)
    outputs = target.outputs(model, rows, threads=1)
    raw = model.predict(rows)
    expected = np.sort(raw, axis=1)
    np.testing.assert_array_equal(outputs, np.exp(expected) if of_log else expected)
    np.testing.assert_array_equal(target.scores(outputs), outputs[:, 1])
    assert not target.decided(outputs).any()
    alone = [target.outputs(model, row[None], threads=1)[0].tolist() for row in rows]
    assert outputs.tolist() == alone


def test_one_level_is_the_median() -> None:
    model, rows = fitted("Quantile:alpha=0.5", lambda rows: rows[:, 0])
    outputs = QuantileTarget((0.5,)).outputs(model, rows, threads=1)
    np.testing.assert_array_equal(outputs[:, 0], model.predict(rows))


@pytest.mark.parametrize(
    ("loss", "target", "said"),
    [
        ("MultiClass", ClassTarget(0.5), "with 3 numbers a row, its target with 2"),
        ("Logloss", ClassTarget(0.5, classes=3), "with 2 numbers a row, its target with 3"),
        ("Quantile:alpha=0.5", QuantileTarget(LEVELS), "with 1 numbers a row, its target with 3"),
    ],
)
def test_a_model_of_another_width_is_refused(loss: str, target: Any, said: str) -> None:
    classes = 3 if loss == "MultiClass" else 2
    model, rows = fitted(loss, lambda rows: np.digitize(rows[:, 0], [0, 1][: classes - 1]))
    with pytest.raises(TargetError, match=said):
        target.outputs(model, rows, threads=1)


def test_decisions_are_as_many_as_classes_and_none_for_numbers() -> None:
    ClassTarget(0.5).check_decisions(("allow", "block"))
    QuantileTarget(LEVELS).check_decisions(())
    for target, decisions in (
        (ClassTarget(0.5, classes=3), ("allow", "block")),
        (ClassTarget(0.5), ()),
        (QuantileTarget(LEVELS), ("allow", "block")),
    ):
        with pytest.raises(TargetError, match="does not fit the decisions"):
            target.check_decisions(decisions)


@given(
    st.builds(ClassTarget, st.floats(0, 1), st.integers(2, 9))
    | st.builds(
        QuantileTarget,
        st.sampled_from([LEVELS, (0.5,), (0.1, 0.5)]),
        st.booleans(),
        st.floats(-1, 1),
    )
)
def test_metadata_read_back(target: ClassTarget | QuantileTarget) -> None:
    assert target_of(target.to_metadata() | {"folds": {}}) == target


def test_a_model_of_before_has_two_classes() -> None:
    assert target_of({"threshold": 0.25}) == ClassTarget(0.25, 2)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "no number 'threshold'"),
        ({"threshold": "0.5"}, "no number 'threshold'"),
        ({"threshold": float("nan")}, "threshold nan"),
        ({"threshold": float("inf")}, "threshold inf"),
        ({"threshold": 1.5}, "threshold 1.5"),
        ({"threshold": -0.1}, "threshold -0.1"),
        ({"threshold": 0.5, "classes": True}, "True classes"),
        ({"target": "quantiles", "levels": [0.5], "of_log": "true"}, "of_log 'true'"),
        ({"target": "quantiles", "levels": [0.5], "of_log": 1}, "of_log 1"),
        ({"threshold": 0.5, "classes": 1}, "1 classes"),
        ({"target": "ranks"}, "kind 'ranks'"),
        ({"target": "quantiles", "levels": [0.5], "margin": float("nan")}, "the margin nan"),
        ({"target": "quantiles", "levels": [0.5], "margin": "1"}, "the margin '1'"),
        ({"target": "quantiles"}, "no list of numbers 'levels'"),
        ({"target": "quantiles", "levels": [0.5, "1"]}, "no list of numbers 'levels'"),
        ({"target": "quantiles", "levels": [0.1, 0.9]}, "over .5"),
        ({"target": "quantiles", "levels": [0.9, 0.5]}, "they grow"),
        ({"target": "quantiles", "levels": [0.0, 0.5]}, "they grow"),
    ],
)
def test_metadata_that_say_nothing_usable_are_refused(metadata: Any, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        target_of(metadata)


@given(arrays(np.float64, (4, 3), elements=st.floats(-10, 10)), st.floats(-5, 5))
def test_quantiles_never_cross(raw: Any, margin: float) -> None:
    class Model:
        """Answers with what was drawn: CatBoost's own quantiles cross only now and then."""

        def predict(self, rows: Any, **_: Any) -> Any:
            return raw

    outputs = QuantileTarget(LEVELS).outputs(Model(), np.zeros((4, 2)), threads=1)
    assert [sorted(row) for row in raw.tolist()] == outputs.tolist()
    moved = QuantileTarget(LEVELS, margin=margin).outputs(Model(), np.zeros((4, 2)), threads=1)
    for (low, median, high), row in zip(outputs.tolist(), moved.tolist(), strict=True):
        assert row == [min(low - margin, median), median, max(high + margin, median)]
