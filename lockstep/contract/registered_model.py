"""A model out of MLflow's registry and into a predictor.

Reads the model's own description and CatBoost's file; nothing that the registry holds is
executed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockstep.contract.model_artefact import CHAMPION, ModelArtefact, ModelArtefactError
from lockstep.contract.model_registry import model_registry
from lockstep.contract.predictor import Predictor
from lockstep.errors import LockstepError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_SQLITE = "sqlite:///"
# What MLflow says where the model is absent, and where only its alias is.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class NoModelError(LockstepError):
    """There is no model to score with, or none that may be used."""

    @classmethod
    def not_registered(cls, name: str, wanted: str) -> NoModelError:
        return cls(
            f"MLflow's registry has no model {name!r} with {wanted}",
            next_step=f"run `lockstep train {name}`; the server will find it",
        )

    @classmethod
    def failed(cls, name: str, cause: Exception) -> NoModelError:
        return cls(
            f"loading the model {name!r} failed ({type(cause).__name__})",
            next_step="see the server's log; it keeps trying",
        )

    @classmethod
    def loading(cls, name: str) -> NoModelError:
        return cls(f"the model {name!r} is being loaded", next_step="try again in a few seconds")


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a model, ready to score, and what was recorded beside it."""

    name: str
    version: int
    predictor: Predictor
    metadata: Mapping[str, Any] = field(default_factory=dict)


def load_model(
    uri: str, name: str, *, version: int | None = None, alias: str = CHAMPION
) -> RegisteredModel:
    """The model's `version`; where none is named, the one that has the alias.

    Takes seconds (it imports MLflow and CatBoost): call it outside the event loop.

    Raises:
        NoModelError: the registry has no such model.
        RegistryError: the registry does not answer.
        ModelArtefactError: the model is damaged or was not registered by `lockstep train`.
    """
    wanted = f"version {version}" if version is not None else f"alias {alias!r}"
    _refuse_missing_file(uri, name, wanted)
    scratch_folder = tempfile.TemporaryDirectory(prefix="lockstep-model-")
    with scratch_folder as scratch, model_registry(uri) as client:
        from mlflow.exceptions import MlflowException

        try:
            found = (
                client.get_model_version_by_alias(name, alias)
                if version is None
                else client.get_model_version(name, str(version))
            )
        except MlflowException as error:
            if error.error_code in _ABSENT:
                raise NoModelError.not_registered(name, wanted) from error
            raise
        described, predictor = _read(_download(client, uri, found, scratch), name)
        return RegisteredModel(name, int(found.version), predictor, described)


def _refuse_missing_file(uri: str, name: str, wanted: str) -> None:
    """MLflow would create the database; a reader only reads."""
    if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).is_file():
        raise NoModelError.not_registered(name, wanted)


def _download(client: MlflowClient, uri: str, version: ModelVersion, scratch: str) -> Path:
    """A folder with the model's files, in `scratch` or where the registry has them."""
    from mlflow.artifacts import download_artifacts

    source = client.get_model_version_download_uri(version.name, version.version)
    return Path(download_artifacts(artifact_uri=source, dst_path=scratch, tracking_uri=uri))


def _read(folder: Path, use_case: str) -> tuple[dict[str, Any], Predictor]:
    from mlflow.models import Model

    described = Model.load(str(folder))
    metadata = dict(described.metadata or {})
    artefact = ModelArtefact.from_metadata(metadata)
    if artefact.use_case != use_case:
        raise ModelArtefactError.other_use_case(artefact.use_case, use_case)
    flavour = described.flavors.get("catboost")
    if not flavour:
        raise ModelArtefactError.bad_metadata("names no CatBoost file")
    return metadata, Predictor.load(folder / Path(flavour["data"]).name, artefact)
