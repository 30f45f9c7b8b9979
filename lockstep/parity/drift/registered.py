"""The version of a model in the registry, and what it was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.registered_model import FoundVersion, found_version
from lockstep.parity.drift.look import ServedVersion
from lockstep.parity.drift.reference import FILE, Reference
from lockstep.parity.errors import DriftError


def registered_version(uri: str, use_case: str, version: int | None) -> ServedVersion:
    """That version of the use case's model; its champion, where none is named.

    Raises:
        DriftError: it was registered without a reference profile, or that is damaged.
        NoModelError, RegistryError, ModelArtefactError: as `found_version` does.
    """
    with found_version(uri, use_case, version=version) as found:
        artefact = ModelArtefact.from_metadata(found.download().metadata)
        reference = read_reference(uri, use_case, found)
        return ServedVersion(found.version, artefact.feature_service, reference)


def read_reference(uri: str, use_case: str, found: FoundVersion) -> Reference:
    """What was kept with the version's run.

    Raises as `registered_version` does.
    """
    from mlflow.artifacts import download_artifacts, list_artifacts

    kept = {one.path for one in list_artifacts(run_id=found.run_id, tracking_uri=uri)}
    if FILE not in kept:
        raise DriftError.no_reference(use_case, found.version)
    with TemporaryDirectory(prefix="lockstep-drift-") as scratch:
        path = download_artifacts(
            run_id=found.run_id, artifact_path=FILE, dst_path=scratch, tracking_uri=uri
        )
        try:
            return Reference.from_json(json.loads(Path(path).read_bytes()))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DriftError.damaged(f"{FILE} of version {found.version}", error) from error
