"""What MLflow and servers keep of an entity beside the models that were trained on it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lockstep.contract.model_registry import model_registry
from lockstep.parity.erasure.documents import count, without
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.place import Found

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

_SQLITE = "sqlite:///"
_ERASED = "erased"
_PAGE = 1000
_EXAMPLES = ("input_example.json", "serving_input_example.json")


@dataclass(frozen=True)
class ModelRecords:
    """JSON, and the models' own descriptions, among the artefacts of the use case's runs.

    Versions that are `touched`, trained on rows that were known by `first_known` or later, are
    tagged `erased` with the erasure's `id`, as their runs are.
    """

    uri: str
    use_case: str
    entity: ErasedEntity
    id: str
    first_known: datetime | None
    name: str = "MLflow's artefacts"

    def find(self) -> Found:
        found, examples = Found(), 0
        with self._client() as client:
            for repository in self._places(client):
                for path in _files(repository):
                    examples += path in _EXAMPLES
                    if rows := count(_read(repository, path), self.entity.is_in):
                        found += Found(rows, 1)
            versions = ", ".join(self._touched(client))
        if versions:
            found += Found(
                remains=(
                    f"model versions {versions} were trained on rows that are erased: they are"
                    " tagged `erased` and stay as they are, until a newer one is promoted",
                )
            )
        if examples:
            found += Found(
                remains=(
                    f"{examples} input examples of models hold features without ids, so that "
                    "it cannot be said whose they are",
                )
            )
        return found

    def erase(self) -> None:
        with self._client() as client:
            for repository in self._places(client):
                for path in _files(repository):
                    told = _read(repository, path)
                    if count(told, self.entity.is_in):
                        _write(repository, path, without(told, self.entity.is_in))
            for version, run_id in self._touched(client).items():
                told = client.get_model_version(self.use_case, version).tags.get(_ERASED, "")
                ids = ", ".join(dict.fromkeys([*filter(None, told.split(", ")), self.id]))
                client.set_model_version_tag(self.use_case, version, _ERASED, ids)
                client.set_tag(run_id, _ERASED, ids)

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        with model_registry(self.uri) as client:
            yield client

    def _places(self, client: MlflowClient) -> Iterator[ArtifactRepository]:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        experiment = client.get_experiment_by_name(self.use_case)
        if experiment is None:
            return
        ids, page = [experiment.experiment_id], None
        while page != "":
            runs = client.search_runs(ids, max_results=_PAGE, page_token=page)
            for run in runs:
                yield get_artifact_repository(run.info.artifact_uri, self.uri)
            page = runs.token or ""
        page = None
        while page != "":
            models = client.search_logged_models(ids, page_token=page)
            for model in models:
                yield get_artifact_repository(model.artifact_location, self.uri)
            page = models.token or ""

    def _touched(self, client: MlflowClient) -> dict[str, str]:
        """The versions that know labels from `first_known` on, and their runs, oldest first."""
        if self.first_known is None:
            return {}
        found = {}
        versions = client.search_model_versions(f"name = '{self.use_case}'")
        for version in sorted(versions, key=lambda one: int(one.version)):
            as_of = client.get_run(str(version.run_id)).data.params.get("as_of")
            if as_of and datetime.fromisoformat(as_of) >= self.first_known:
                found[str(version.version)] = str(version.run_id)
        return found


@dataclass(frozen=True)
class CachedModels:
    """The copies of the models' descriptions that servers on this machine have in `folder`."""

    folder: Path
    entity: ErasedEntity
    name: str = "models in this machine's cache"

    def find(self) -> Found:
        counts = [count(json.loads(p.read_bytes()), self.entity.is_in) for p in self._files()]
        found = Found(sum(counts), sum(rows > 0 for rows in counts))
        if counts:
            why = "a running server has its model in memory: restart it, and other machines'"
            found += Found(remains=(why,))
        return found

    def erase(self) -> None:
        for path in self._files():
            told = json.loads(path.read_bytes())
            if count(told, self.entity.is_in):
                part = path.with_name(f".{path.name}.part")
                part.write_text(json.dumps(without(told, self.entity.is_in)))
                part.replace(path)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*/metadata.json"))


def _files(repository: ArtifactRepository, folder: str | None = None) -> Iterator[str]:
    for file in repository.list_artifacts(folder):
        if file.is_dir:
            yield from _files(repository, file.path)
        elif file.path.endswith(".json") or file.path.rpartition("/")[2] == "MLmodel":
            yield file.path


def _read(repository: ArtifactRepository, path: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="lockstep-") as folder:
        downloaded = repository.download_artifacts(path, folder)  # type: ignore[no-untyped-call]  # theirs
        text = Path(downloaded).read_text()
    return json.loads(text) if path.endswith(".json") else yaml.safe_load(text)


def _write(repository: ArtifactRepository, path: str, document: Any) -> None:
    folder, _, name = path.rpartition("/")
    told = json.dumps(document, indent=2) if path.endswith(".json") else yaml.safe_dump(document)
    with tempfile.TemporaryDirectory(prefix="lockstep-") as scratch:
        local = Path(scratch) / name
        local.write_text(told)
        repository.log_artifact(str(local), folder or None)  # type: ignore[no-untyped-call]  # theirs
