"""Where a new experiment of MLflow keeps its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.settings import Settings
from training.register import _artifacts


@pytest.mark.parametrize(
    ("uri", "place", "expected"),
    [
        ("", "", "HOME/mlartifacts"),
        ("postgresql+psycopg://db/mlflow", "", "HOME/mlartifacts"),
        ("postgresql+psycopg://db/mlflow", "s3://bucket/models", "s3://bucket/models"),
        ("http://mlflow:5000", "", None),
        ("https://mlflow", "s3://bucket/models", "s3://bucket/models"),
    ],
)
def test_it_is_where_the_environment_says_else_the_home_unless_a_server_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, place: str, expected: str | None
) -> None:
    monkeypatch.setenv("LOCKSTEP_MLFLOW_URI", uri)
    monkeypatch.setenv("LOCKSTEP_MLFLOW_ARTIFACTS", place)
    settings = Settings(project_dir=tmp_path, home=tmp_path / "home")
    home = settings.home_dir.as_uri()
    assert _artifacts(settings) == (expected and expected.replace("HOME", home))
