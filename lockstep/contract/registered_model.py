"""The champion of a use case, out of MLflow's registry and into a predictor.

Reads the model's own description and CatBoost's file; nothing that the registry holds is
executed.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockstep.contract.model_artefact import CHAMPION, ModelArtefact, ModelArtefactError
from lockstep.contract.model_registry import model_registry
from lockstep.contract.predictor import Predictor
from serving.errors import NoModelError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_SQLITE = "sqlite:///"
# What MLflow says where the model is absent, and where only its alias is.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class ServedModel:
    """A model of the registry, ready to score."""

    name: str
    version: int
    predictor: Predictor


def load_champion(uri: str, name: str) -> ServedModel:
    """The version of model `name` that has the alias champion.

    Takes seconds (it imports MLflow and CatBoost): call it outside the event loop.

    Raises:
        NoModelError: the registry has no such model.
        RegistryError: the registry does not answer.
        ModelArtefactError: the model is damaged or was not registered by `lockstep train`.
    """
    _refuse_missing_file(uri, name)
    scratch_folder = tempfile.TemporaryDirectory(prefix="lockstep-model-")
    with model_registry(uri) as client, scratch_folder as scratch:
        version = _champion(client, name)
        folder = _download(client, uri, version, scratch)
        return ServedModel(name, int(version.version), _predictor(folder, name))


def _refuse_missing_file(uri: str, name: str) -> None:
    """MLflow would create the database; a server only reads."""
    if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).is_file():
        raise NoModelError.not_registered(name, CHAMPION)


def _champion(client: MlflowClient, name: str) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            raise NoModelError.not_registered(name, CHAMPION) from error
        raise


def _download(client: MlflowClient, uri: str, version: ModelVersion, scratch: str) -> Path:
    """A folder with the model's files, in `scratch` or where the registry has them."""
    from mlflow.artifacts import download_artifacts

    source = client.get_model_version_download_uri(version.name, version.version)
    return Path(download_artifacts(artifact_uri=source, dst_path=scratch, tracking_uri=uri))


def _predictor(folder: Path, use_case: str) -> Predictor:
    from mlflow.models import Model

    described = Model.load(str(folder))
    artefact = ModelArtefact.from_metadata(described.metadata or {})
    if artefact.use_case != use_case:
        raise ModelArtefactError.other_use_case(artefact.use_case, use_case)
    flavour = described.flavors.get("catboost")
    if not flavour:
        raise ModelArtefactError.bad_metadata("names no CatBoost file")
    return Predictor.load(folder / Path(flavour["data"]).name, artefact)
