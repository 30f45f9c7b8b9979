"""The predictor: CatBoost's own file, fed through the model-input step."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catboost import CatBoostClassifier, Pool

from lockstep.contract.model_artefact import ModelArtefact, ModelArtefactError
from lockstep.contract.model_input import ModelInputError
from lockstep.contract.predictor import Predictor
from lockstep.contract.targets import ClassTarget

_ARTEFACT = ModelArtefact(
    use_case="fraud",
    feature_service="fraud_v1",
    feature_order=("a", "b"),
    target=ClassTarget(0.5),
    trained_as_of=datetime(2018, 8, 1, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    generator = np.random.default_rng(0)
    b = [None if value < -1 else value for value in generator.normal(size=300)]
    return pl.DataFrame({"a": generator.integers(0, 50, 300), "b": b})


@pytest.fixture(scope="module")
def model_file(rows: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pool = Pool(rows.to_numpy(), label=(rows["a"] > 30).to_numpy(), feature_names=["a", "b"])
    model = CatBoostClassifier(
        iterations=20, logging_level="Silent", allow_writing_files=False, random_seed=0
    ).fit(pool)
    path = tmp_path_factory.mktemp("model") / "model.cb"
    model.save_model(str(path))
    return path


def test_a_row_alone_scores_exactly_as_among_others(model_file: Path, rows: pl.DataFrame) -> None:
    predictor = Predictor.load(model_file, _ARTEFACT)
    together = predictor.scores(rows.to_dict())
    alone = [
        predictor.scores({name: [value] for name, value in row.items()})[0]
        for row in rows.iter_rows(named=True)
    ]
    assert together.tolist() == alone
    assert len(set(alone)) > 10


def test_other_features_are_refused(model_file: Path) -> None:
    predictor = Predictor.load(model_file, _ARTEFACT)
    with pytest.raises(ModelInputError, match="unexpected"):
        predictor.scores({"a": [1], "b": [1.0], "c": [1]})


@pytest.mark.parametrize("order", [("b", "a"), ("a",), ("a", "c")])
def test_a_file_with_other_features_is_refused(model_file: Path, order: tuple[str, ...]) -> None:
    with pytest.raises(ModelArtefactError, match="they differ in"):
        Predictor.load(model_file, dataclasses.replace(_ARTEFACT, feature_order=order))


def test_a_truncated_file_is_refused(model_file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model.cb"
    broken.write_bytes(model_file.read_bytes()[:-200])
    with pytest.raises(ModelArtefactError, match=r"'model\.cb' cannot be loaded"):
        Predictor.load(broken, _ARTEFACT)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelArtefactError, match="cannot be loaded"):
        Predictor.load(tmp_path / "model.cb", _ARTEFACT)


@dataclasses.dataclass(frozen=True)
class _Trap:
    """Leaves a file behind when it is unpickled."""

    marker: Path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.marker,))


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "model.cb", tmp_path / "marker"
    path.write_bytes(pickle.dumps(_Trap(marker)))
    with pytest.raises(ModelArtefactError, match="cannot be loaded"):
        Predictor.load(path, _ARTEFACT)
    assert not marker.exists()
