"""A model out of MLflow's registry and into a predictor.

Reads the model's own description and CatBoost's file; nothing that the registry holds is
executed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
    def refused(cls, name: str, version: int | None, why: str) -> NoModelError:
        which = "" if version is None else f" version {version}"
        return cls(
            f"the model {name!r}{which} is refused: {why}", next_step="the server keeps looking"
        )

    @classmethod
    def said(cls, name: str, why: str) -> NoModelError:
        return cls(f"there is no model {name!r}: {why}", next_step="the server keeps looking")

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


@dataclass(frozen=True)
class ModelFiles:
    """What MLflow keeps of a version that serving needs: one file and its description.

    `example` is the input that was logged with the model, MLflow's file; None for none.
    """

    model: Path
    metadata: Mapping[str, Any]
    example: Path | None


@dataclass(frozen=True)
class FoundVersion:
    """A version in the registry; `download` brings its files, which are gone afterwards."""

    version: int
    run_id: str
    download: Callable[[], ModelFiles]


@contextmanager
def found_version(
    uri: str, name: str, *, version: int | None = None, alias: str = CHAMPION
) -> Iterator[FoundVersion]:
    """The model's `version`; where none is named, the one that has the alias.

    Imports MLflow, which takes seconds.

    Raises:
        NoModelError: the registry has no such model.
        RegistryError: the registry does not answer.
        ModelArtefactError: on download, the model was not registered by `lockstep train`.
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
        yield FoundVersion(
            int(found.version),
            str(found.run_id),
            lambda: _files(_download(client, uri, found, scratch)),
        )


def load_model(
    uri: str, name: str, *, version: int | None = None, alias: str = CHAMPION
) -> RegisteredModel:
    """The model of `found_version`, ready to score.

    Takes seconds (it imports MLflow and CatBoost): call it outside an event loop.

    Raises:
        NoModelError: the registry has no such model.
        RegistryError: the registry does not answer.
        ModelArtefactError: the model is damaged or was not registered by `lockstep train`.
    """
    with found_version(uri, name, version=version, alias=alias) as found:
        files = found.download()
        artefact = ModelArtefact.from_metadata(files.metadata)
        if artefact.use_case != name:
            raise ModelArtefactError.other_use_case(artefact.use_case, name)
        predictor = Predictor.load(files.model, artefact)
        return RegisteredModel(name, found.version, predictor, files.metadata)


def _refuse_missing_file(uri: str, name: str, wanted: str) -> None:
    """MLflow would create the database; a reader only reads."""
    if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).is_file():
        raise NoModelError.not_registered(name, wanted)


def _download(client: MlflowClient, uri: str, version: ModelVersion, scratch: str) -> Path:
    """A folder with the model's files, in `scratch` or where the registry has them."""
    from mlflow.artifacts import download_artifacts

    source = client.get_model_version_download_uri(version.name, version.version)
    return Path(download_artifacts(artifact_uri=source, dst_path=scratch, tracking_uri=uri))


def _files(folder: Path) -> ModelFiles:
    from mlflow.models import Model

    described = Model.load(str(folder))
    flavour = described.flavors.get("catboost")
    if not flavour:
        raise ModelArtefactError.bad_metadata("names no CatBoost file")
    example = (described.saved_input_example_info or {}).get("artifact_path")
    return ModelFiles(
        model=folder / Path(flavour["data"]).name,
        metadata=dict(described.metadata or {}),
        example=folder / Path(example).name if example else None,
    )
