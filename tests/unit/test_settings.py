"""Where a project keeps its things."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.errors import LockstepError
from lockstep.settings import Settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "feature_repo").mkdir()
    (tmp_path / "feature_repo" / "feature_store.yaml").touch()
    return tmp_path


def test_the_project_is_found_from_any_folder_inside_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "feature_repo")
    settings = Settings()
    assert settings.lake == str(project / ".lockstep" / "lake")
    assert settings.tracking_uri == f"sqlite:///{project}/.lockstep/mlflow.db"
    assert settings.redis_url == "redis://127.0.0.1:6390/0"


def test_the_environment_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(project))
    monkeypatch.setenv("LOCKSTEP_HOME", "/data")
    monkeypatch.setenv("REDIS_URL", "redis://cache:6379/1")
    assert Settings().lake == "/data/lake"
    assert Settings().redis_url == "redis://cache:6379/1"


@pytest.mark.parametrize(
    ("value", "lake"),
    [
        ("s3://bucket/lake", "s3://bucket/lake"),
        ("/data/lake", "/data/lake"),
        ("mine", "PROJECT/mine"),
        ("", "PROJECT/.lockstep/lake"),
    ],
)
def test_the_lake_may_be_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, value: str, lake: str
) -> None:
    monkeypatch.setenv("LOCKSTEP_LAKE", value)
    settings = Settings(project_dir=project)
    assert settings.lake == lake.replace("PROJECT", str(project))


def test_a_relative_home_is_in_the_project_wherever_a_command_is_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_HOME", "here")
    assert Settings(project_dir=project).home_dir == project / "here"


def test_outside_a_project_the_error_says_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent)
    with pytest.raises(LockstepError, match="set LOCKSTEP_PROJECT_DIR"):
        Settings()
