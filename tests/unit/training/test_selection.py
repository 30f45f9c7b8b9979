"""Shuffling what a model lives on costs it dearly; shuffling noise does not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
from catboost import CatBoostClassifier, Pool

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.predictor import Predictor
from lockstep.contract.targets import ClassTarget
from training.costs import DecisionCosts
from training.selection import Selection, by_permutation
from training.tasks.two_classes import TwoClasses

TASK = TwoClasses(DecisionCosts("cents", 1.0, "amount"))


def rows(seed: int) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    signal, noise = generator.normal(size=(2, 2_000))
    labels = (signal + generator.normal(scale=0.5, size=2_000) > 1).astype(int)
    return pl.DataFrame({"noise": noise, "signal": signal, "label": labels})


def test_the_signal_is_kept_and_the_noise_is_not() -> None:
    fitted = rows(0)
    names = ("noise", "signal")
    model = CatBoostClassifier(iterations=20, logging_level="Silent", allow_writing_files=False)
    matrix = fitted.select(names).to_numpy()
    model.fit(Pool(matrix, label=fitted["label"].to_numpy(), feature_names=list(names)))
    artefact = ModelArtefact(
        "toy", "toy_v1", names, ClassTarget(0.5), datetime(2018, 1, 1, tzinfo=UTC)
    )
    found = by_permutation(Predictor(artefact, model), rows(1), TASK, least=0.05)
    assert found.losses["signal"] > 0.3 > abs(found.losses["noise"]) * 5
    assert found.kept == ("signal",)
    again = by_permutation(Predictor(artefact, model), rows(1), TASK, least=0.05)
    assert again == found


def test_where_nothing_is_worth_keeping_all_is_kept() -> None:
    assert Selection({"a": -0.1, "b": 0.0}, 0.0).kept == ("a", "b")
    assert Selection({"a": 0.1, "b": 0.0}, 0.0).kept == ("a",)
