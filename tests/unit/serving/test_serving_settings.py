"""The server's settings come from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.settings import Settings
from serving.settings import ServingSettings


def test_by_default_it_listens_on_this_machine_only(tmp_path: Path) -> None:
    settings = ServingSettings(project=Settings(project_dir=tmp_path))
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


def test_fields_are_variables_with_a_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVING_PORT", "9000")
    monkeypatch.setenv("SERVING_MAX_BODY_BYTES", "10")
    monkeypatch.setenv("LOCKSTEP_PROJECT_DIR", str(tmp_path))
    settings = ServingSettings()
    assert (settings.port, settings.max_body_bytes) == (9000, 10)
    assert settings.project.project_dir == tmp_path


def test_where_the_keys_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Settings(project_dir=tmp_path)
    monkeypatch.delenv("SERVING_KEYS_FILE", raising=False)
    assert ServingSettings(project=project).keys_path == tmp_path / ".lockstep" / "api_keys.json"
    monkeypatch.setenv("SERVING_KEYS_FILE", "/run/secrets/keys.json")
    assert ServingSettings(project=project).keys_path == Path("/run/secrets/keys.json")
    monkeypatch.setenv("SERVING_KEYS_FILE", "keys.json")
    assert ServingSettings(project=project).keys_path == tmp_path / "keys.json"
