"""Registration in a real MLflow store: SQLite and a folder."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catboost import CatBoostClassifier, Pool

from lockstep.contract.model_artefact import CHALLENGER, CHAMPION, ModelArtefact
from lockstep.contract.model_registry import RegistryError, model_registry
from lockstep.contract.predictor import Predictor
from lockstep.contract.targets import ClassTarget
from lockstep.parity.drift.profile import Profile
from lockstep.parity.drift.reference import Reference
from lockstep.settings import Settings
from training.bootstrap import Interval
from training.costs import DecisionCosts
from training.dataset import Dataset
from training.register import Evidence, Registered, register
from training.run import scored_by
from training.selection import Selection
from training.tasks.two_classes import TwoClasses
from training.trial_log import Trial
from training.use_case import UseCase

_FOLD = {
    "from": "2018-07-01T00:00:00+00:00",
    "to": "2018-07-08T00:00:00+00:00",
    "rows": 8,
    "positives": 2,
    "labels_known_by": "2018-07-15T00:00:00+00:00",
}
_EVIDENCE = Evidence(
    params={"seed": 0},
    metrics={"roc_auc": Interval(0.75, 0.5, 0.9), "f1": Interval(0.5, math.nan, math.nan)},
    folds={"test": _FOLD},
    floors=(),
    requests=({"account": 7},),
    dataset=Dataset(pl.DataFrame(), ("a", "b"), {"content_hash": "abc" * 20}, "fingerprint"),
    trials=[Trial(0, {"depth": 4.0}, 0.7, 5, [0.6], is_pruned=False)],
    selection=Selection({"a": 0.2, "b": -0.1}, 0.0),
    warnings=[],
    recipe="5f2a",
    reference=Reference({"a": Profile.of([1.0, 2.0])}, Profile.of([0.5]), 4.0),
)
_USE_CASE = UseCase(
    name="toy",
    feature_service="toy_v1",
    row_id="id",
    labels_table="toy/verdicts",
    entity_rows=lambda lake, as_of, since=None: pl.DataFrame(),
    task=TwoClasses(DecisionCosts("cents", 1.0, "cost")),
)
_EXAMPLE = pl.DataFrame({"a": [1, 2], "b": [0.5, None]})
_ROWS = pl.DataFrame(
    {
        "event_timestamp": [datetime(2018, 8, 1 + n % 4, tzinfo=UTC) for n in range(20)],
        "label": [n % 2 for n in range(20)],
        "cost": [5] * 20,
        "a": [n % 7 - 3.0 for n in range(20)],
        "b": [n % 3 - 1.0 for n in range(20)],
    }
)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    matrix = np.random.default_rng(0).normal(size=(100, 2))
    pool = Pool(matrix, label=(matrix[:, 0] > 0).astype(int), feature_names=["a", "b"])
    model = CatBoostClassifier(iterations=5, logging_level="Silent", allow_writing_files=False)
    artefact = ModelArtefact(
        use_case="toy",
        feature_service="toy_v1",
        feature_order=("a", "b"),
        target=ClassTarget(0.5),
        trained_as_of=datetime(2018, 8, 1, tzinfo=UTC),
    )
    return Predictor(artefact, model.fit(pool))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("project")
    return Settings(project_dir=folder, home=folder / "home")


def _register(settings: Settings, predictor: Predictor) -> Registered:
    scored = scored_by(predictor, _ROWS, _USE_CASE)
    return register(settings, predictor, _EXAMPLE, scored, _EVIDENCE)


@pytest.fixture(scope="module")
def first(settings: Settings, predictor: Predictor) -> Registered:
    return _register(settings, predictor)


def test_the_run_keeps_what_it_was_given(settings: Settings, first: Registered) -> None:
    with model_registry(settings.tracking_uri) as client:
        run = client.get_run(first.run_id)
    assert run.data.params == {"seed": "0"}
    assert run.data.metrics == {
        "test_roc_auc": 0.75,
        "test_roc_auc_low": 0.5,
        "test_roc_auc_high": 0.9,
        "test_f1": 0.5,
    }
    assert run.data.tags["use_case"] == "toy"
    assert run.info.status == "FINISHED"


def test_the_first_version_is_the_champion_and_later_ones_challenge_it(
    settings: Settings, predictor: Predictor, first: Registered
) -> None:
    second = _register(settings, predictor)
    assert (first.is_champion, second.is_champion) == (True, False)
    with model_registry(settings.tracking_uri) as client:
        found = [client.get_model_version_by_alias("toy", a) for a in (CHAMPION, CHALLENGER)]
    assert [int(version.version) for version in found] == [first.version, second.version]


def test_the_run_has_the_dataset_the_trials_the_plots_and_the_card(
    settings: Settings, first: Registered
) -> None:
    with model_registry(settings.tracking_uri) as client:
        run = client.get_run(first.run_id)
        ((input_, *_),) = [run.inputs.dataset_inputs]
        plots = {file.path for file in client.list_artifacts(first.run_id, "plots")}
        files = {file.path for file in client.list_artifacts(first.run_id)}
        children = client.search_runs(
            [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{first.run_id}'"
        )
        card = Path(client.download_artifacts(first.run_id, "model_card.html")).read_text()
    assert input_.dataset.digest == "abc" * 12
    names = ("cost", "importance", "precision_recall", "reliability", "roc", "score_by_day", "shap")
    assert plots == {f"plots/{name}.png" for name in names}
    kept = {"dataset.json", "model_card.html", "reference_profile.json", "selection.json"}
    assert kept <= files
    ((child,),) = [children]
    assert child.data.params == {"depth": "4.0"}
    assert child.data.metrics["average_precision"] == 0.7
    assert card.count("data:image/png;base64,") == len(names)
    assert "fingerprint" in card and "<td>roc_auc</td><td class='n'>0.7500</td>" in card


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
    assert metadata["folds"] == {"test": _FOLD}
    requirements = (folder / "requirements.txt").read_text().split()
    assert [line.split("==")[0] for line in requirements] == ["mlflow", "catboost", "numpy"]
    assert json.loads((folder / "input_example.json").read_text())["data"][0] == [1.0, 0.5]


def test_a_store_that_is_none_is_a_clear_error(predictor: Predictor, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.write_text("not a database, and long enough to be looked at" * 10)
    before = database.read_bytes()
    with pytest.raises(RegistryError, match="file is not a database"):
        _register(Settings(project_dir=tmp_path, home=tmp_path), predictor)
    assert database.read_bytes() == before


def _artefact_folder(settings: Settings, registered: Registered) -> Path:
    with model_registry(settings.tracking_uri) as client:
        uri = client.get_model_version_download_uri(registered.name, str(registered.version))
    return Path(uri.removeprefix("file://"))
