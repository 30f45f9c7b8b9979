"""Registration in a real MLflow store: SQLite and a folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catboost import CatBoostClassifier, Pool

from lockstep.contract.model_artefact import CHAMPION, ModelArtefact
from lockstep.contract.model_registry import RegistryError, model_registry
from lockstep.contract.predictor import Predictor
from lockstep.settings import Settings
from training.register import Evidence, Registered, register

_EVIDENCE = Evidence(
    params={"seed": 0},
    metrics={"test_roc_auc": 0.75},
    tags={"use_case": "toy"},
    metadata={"folds": {"test": {"rows": 8}}},
)
_EXAMPLE = pl.DataFrame({"a": [1, 2], "b": [0.5, None]})


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    matrix = np.random.default_rng(0).normal(size=(100, 2))
    pool = Pool(matrix, label=(matrix[:, 0] > 0).astype(int), feature_names=["a", "b"])
    model = CatBoostClassifier(iterations=5, logging_level="Silent", allow_writing_files=False)
    artefact = ModelArtefact(
        use_case="toy",
        feature_service="toy_v1",
        feature_order=("a", "b"),
        threshold=0.5,
        trained_as_of=datetime(2018, 8, 1, tzinfo=UTC),
    )
    return Predictor(artefact, model.fit(pool))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("project")
    return Settings(project_dir=folder, home=folder / "home")


@pytest.fixture(scope="module")
def first(settings: Settings, predictor: Predictor) -> Registered:
    return register(settings, predictor, _EXAMPLE, _EVIDENCE)


def test_the_run_keeps_what_it_was_given(settings: Settings, first: Registered) -> None:
    with model_registry(settings.tracking_uri) as client:
        run = client.get_run(first.run_id)
    assert run.data.params == {"seed": "0"}
    assert run.data.metrics == {"test_roc_auc": 0.75}
    assert run.data.tags["use_case"] == "toy"
    assert run.info.status == "FINISHED"


def test_the_newest_version_is_the_champion(
    settings: Settings, predictor: Predictor, first: Registered
) -> None:
    second = register(settings, predictor, _EXAMPLE, _EVIDENCE)
    with model_registry(settings.tracking_uri) as client:
        champion = client.get_model_version_by_alias("toy", CHAMPION)
    assert int(champion.version) == second.version > first.version


def test_the_artefact_loads_without_mlflow_and_scores_the_same(
    settings: Settings, predictor: Predictor, first: Registered
) -> None:
    folder = _artefact_folder(settings, first)
    assert folder.is_relative_to(settings.home_dir / "mlartifacts")
    loaded = Predictor.load(folder / "model.cb", predictor.artefact)
    columns = _EXAMPLE.to_dict()
    assert loaded.scores(columns).tolist() == predictor.scores(columns).tolist()


def test_mlflow_can_serve_its_own_input_example(settings: Settings, first: Registered) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(_artefact_folder(settings, first)))
    assert len(model.predict(model.input_example)) == _EXAMPLE.height


def test_the_model_carries_signature_metadata_and_pinned_requirements(
    settings: Settings, predictor: Predictor, first: Registered
) -> None:
    from mlflow.models import Model

    folder = _artefact_folder(settings, first)
    model = Model.load(str(folder))
    assert model.signature.inputs.input_names() == ["a", "b"]
    metadata = model.metadata or {}
    assert ModelArtefact.from_metadata(metadata) == predictor.artefact
    assert metadata["folds"] == {"test": {"rows": 8}}
    requirements = (folder / "requirements.txt").read_text().split()
    assert [line.split("==")[0] for line in requirements] == ["mlflow", "catboost", "numpy"]
    assert json.loads((folder / "input_example.json").read_text())["data"][0] == [1.0, 0.5]


def test_a_store_that_is_none_is_a_clear_error(predictor: Predictor, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.write_text("not a database, and long enough to be looked at" * 10)
    before = database.read_bytes()
    with pytest.raises(RegistryError, match="file is not a database"):
        register(Settings(project_dir=tmp_path, home=tmp_path), predictor, _EXAMPLE, _EVIDENCE)
    assert database.read_bytes() == before


def _artefact_folder(settings: Settings, registered: Registered) -> Path:
    with model_registry(settings.tracking_uri) as client:
        uri = client.get_model_version_download_uri(registered.name, str(registered.version))
    return Path(uri.removeprefix("file://"))
