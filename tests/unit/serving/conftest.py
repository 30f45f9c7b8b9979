"""What tests of serving start from, without a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_world import World
from stored_models import Served, save_model

from serving.model_cache import MODEL, ModelCache


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A gate whose file of keys is empty."""
    return World(tmp_path / "api_keys.json")


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small model of cards_v1; read only."""
    path = tmp_path_factory.mktemp("model") / MODEL
    save_model(path)
    return path


@pytest.fixture
def served(tmp_path: Path, model_file: Path) -> Served:
    """A store of models over an empty cache."""
    return Served(ModelCache.under(tmp_path, "fraud"), model_file)
