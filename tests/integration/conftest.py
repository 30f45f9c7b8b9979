"""A small project that has been through everything up to a registered model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from feast_project import make_project
from fraud_project import Project, apply_definitions, fill_lake, train_small

from lockstep.settings import Settings


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Generated, ingested, built, applied and trained; nothing is materialised.

    Every test shares it: read only.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("LOCKSTEP_HOME", raising=False)
        environment.delenv("LOCKSTEP_MLFLOW_URI", raising=False)
        settings = make_project(tmp_path_factory.mktemp("project"))
        fill_lake(settings)
        apply_definitions(settings)
        yield Project(settings, train_small(settings))


@pytest.fixture
def untrained(project: Project, tmp_path: Path) -> Settings:
    """The project as it was before training."""
    settings = make_project(tmp_path / "untrained")
    shutil.copytree(project.settings.lake, settings.lake)
    apply_definitions(settings)
    return settings
