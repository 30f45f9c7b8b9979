"""Where a project keeps its things."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.errors import LockstepError
from lockstep.settings import Settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LOCKSTEP_HOME", "LOCKSTEP_PROJECT_DIR", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "feature_repo").mkdir()
    (tmp_path / "feature_repo" / "feature_store.yaml").touch()
    return tmp_path


def test_the_project_is_found_from_any_folder_inside_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "feature_repo")
    settings = Settings()
    assert settings.lake_dir == project / ".lockstep" / "lake"
    assert settings.tracking_uri == f"sqlite:///{project}/.lockstep/mlflow.db"
    assert settings.redis_url == "redis://127.0.0.1:6390/0"


def test_the_environment_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(project))
    monkeypatch.setenv("LOCKSTEP_HOME", "/data")
    monkeypatch.setenv("REDIS_URL", "redis://cache:6379/1")
    assert Settings().lake_dir == Path("/data/lake")
    assert Settings().redis_url == "redis://cache:6379/1"


def test_outside_a_project_the_error_says_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent)
    with pytest.raises(LockstepError, match="set LOCKSTEP_PROJECT_DIR"):
        Settings()
