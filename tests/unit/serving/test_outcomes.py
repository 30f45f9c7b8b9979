"""Fields of an answer by what the model predicts, and the reasons for the number that counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from catboost import CatBoost

from lockstep.contract.scored_events import ScoredEvents
from lockstep.contract.targets import ClassTarget, QuantileTarget, Target
from serving.answers import shap_values
from serving.outcomes import outcomes
from serving.rows import Scored
from serving.schemas import Answer, Classification, Estimate, Prediction

CALLS = ("hold", "buy", "sell")
COMMON = {
    "request_id": "a",
    "event_timestamp": "2018-08-01T00:00:00Z",
    "model": {"name": "m", "version": 1, "feature_service": "s", "fingerprint": "f"},
    "flags": [],
    "features": {},
}


def events(decisions: tuple[str, ...]) -> ScoredEvents:
    return ScoredEvents("a/b", "id", ("key",), (), "time_us", decisions)


def scored(target: Target, outputs: Sequence[Sequence[float]]) -> Scored:
    """Rows that a model answered so."""
    found, read = np.array(outputs), Any
    return Scored(read, found, target.scores(found), target.decided(found), {})  # type: ignore[arg-type]  # not looked at


@pytest.mark.parametrize(
    ("target", "decisions", "outputs", "schema", "expected"),
    [
        (
            ClassTarget(0.5),
            ("allow", "block"),
            [[0.5], [0.25]],
            Prediction,
            [
                {"score": 0.5, "decision": "block", "threshold": 0.5},
                {"score": 0.25, "decision": "allow", "threshold": 0.5},
            ],
        ),
        (
            ClassTarget(0.4, classes=3),
            CALLS,
            [[0.5, 0.125, 0.375], [0.25, 0.25, 0.5]],
            Classification,
            [
                {
                    "score": 0.375,
                    "decision": "hold",
                    "threshold": 0.4,
                    "probabilities": {"hold": 0.5, "buy": 0.125, "sell": 0.375},
                },
                {
                    "score": 0.5,
                    "decision": "sell",
                    "threshold": 0.4,
                    "probabilities": {"hold": 0.25, "buy": 0.25, "sell": 0.5},
                },
            ],
        ),
        (
            QuantileTarget((0.125, 0.5, 0.875), of_log=True),
            (),
            [[1.0, 2.0, 4.0]],
            Estimate,
            [{"value": 2.0, "low": 1.0, "high": 4.0, "coverage": 0.75}],
        ),
        (
            QuantileTarget((0.05, 0.5, 0.95)),
            (),
            [[1.0, 2.0, 4.0]],
            Estimate,
            [{"value": 2.0, "low": 1.0, "high": 4.0, "coverage": 0.9}],
        ),
    ],
    ids=["two classes", "three classes", "quantiles", "nine tenths"],
)
def test_an_answer_says_what_its_model_predicts(
    target: Target,
    decisions: tuple[str, ...],
    outputs: Sequence[Sequence[float]],
    schema: type[Answer],
    expected: Sequence[dict[str, Any]],
) -> None:
    told = outcomes(target, events(decisions), scored(target, outputs))
    assert told == expected
    for fields in told:
        assert schema.model_validate({**COMMON, **fields}).model_dump().items() >= fields.items()


@dataclass(frozen=True)
class Explained:
    """Stands where a scorer does: a model and the rows that it was asked for."""

    model: Any
    target: Target
    rows: Any

    @property
    def served(self) -> Any:
        return self

    @property
    def predictor(self) -> Any:
        return self

    @property
    def artefact(self) -> Any:
        return self

    @property
    def feature_order(self) -> tuple[str, ...]:
        return ("a", "b", "c")

    def model_rows(self, read: Any) -> Any:
        return self.rows


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("Logloss", ClassTarget(0.5)),
        ("MultiClass", ClassTarget(0.0, classes=3)),
        ("MultiClass", ClassTarget(1.0, classes=3)),
        ("MultiQuantile:alpha=0.1,0.5,0.9", QuantileTarget((0.1, 0.5, 0.9))),
    ],
)
def test_reasons_add_up_to_the_output_that_counts(loss: str, target: Target) -> None:
    rows = np.random.default_rng(3).normal(size=(300, 3))
    labels = rows[:, 0] + 0.1 * rows[:, 1]
    if isinstance(target, ClassTarget):
        labels = np.digitize(labels, [-0.5, 0.5][: target.classes - 1])
    quiet = {"logging_level": "Silent", "allow_writing_files": False}
    model = CatBoost({"loss_function": loss, "iterations": 20, "random_seed": 0, **quiet})
    model.fit(rows, labels)
    outputs = target.outputs(model, rows[:1], threads=1)
    found = scored(target, outputs.tolist())
    explained: Any = Explained(model, target, rows[:1])
    raw = model.predict(rows[:1]).ravel()
    counts = 0
    if target.width > 1:
        counts = target.median if isinstance(target, QuantileTarget) else int(found.decided[0])
    assert np.isclose(sum(shap_values(explained, found)), raw[counts])
