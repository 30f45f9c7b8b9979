"""The feature repository's configuration, as serving reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.settings import Settings
from serving.catalog import Catalog
from serving.errors import DefinitionsError


def _settings(folder: Path, text: str | None) -> Settings:
    (folder / "feature_repo").mkdir()
    if text is not None:
        (folder / "feature_repo" / "feature_store.yaml").write_text(text)
    return Settings(project_dir=folder, redis_url="redis://elsewhere:1/0")


def test_redis_is_where_the_environment_says(tmp_path: Path) -> None:
    text = "project: cards\nonline_store: {type: x}\n"
    assert Catalog.load(_settings(tmp_path, text)) == Catalog("cards", "redis://elsewhere:1/0")


def test_the_repository_may_name_its_own_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE", "cache")
    text = "project: cards\nonline_store: {redis_url: 'redis://${CACHE}:6379/0'}\n"
    assert Catalog.load(_settings(tmp_path, text)).redis_url == "redis://cache:6379/0"


def test_a_variable_that_is_not_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CACHE", raising=False)
    text = "project: cards\nonline_store: {redis_url: 'redis://${CACHE}:6379/0'}\n"
    with pytest.raises(DefinitionsError, match=r"uses \$\{CACHE\}, which is not set; set CACHE"):
        Catalog.load(_settings(tmp_path, text))


@pytest.mark.parametrize(
    "text", [None, "", "project: [", "project: cards", "online_store: {}", "1"]
)
def test_a_configuration_that_cannot_be_used_is_named(tmp_path: Path, text: str | None) -> None:
    with pytest.raises(DefinitionsError, match=r"feature_store\.yaml cannot be used"):
        Catalog.load(_settings(tmp_path, text))
