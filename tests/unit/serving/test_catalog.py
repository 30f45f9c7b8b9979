"""The feature repository's configuration, as serving reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.registered_model import RegisteredModel
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


def _served(feature_service: str, *features: str) -> RegisteredModel:
    artefact = ModelArtefact(
        use_case="fraud",
        feature_service=feature_service,
        feature_order=features,
        threshold=0.5,
        trained_as_of=datetime(2018, 8, 1, tzinfo=UTC),
    )
    # The catalog looks at nothing else of a predictor.
    predictor: Any = SimpleNamespace(artefact=artefact)
    return RegisteredModel("fraud", 7, predictor)


_CATALOG = Catalog("cards", "redis://127.0.0.1:1/0")


def test_a_model_may_read_fewer_features_than_its_service_offers() -> None:
    scorer = _CATALOG.scorer(_served("fraud_v1", "tx_count_1d"))
    assert {"customer_windows", "terminal_windows"} == {v.name for v in scorer.plan.views}


def test_a_model_of_another_service_is_refused() -> None:
    expected = r"version 7 was trained on feature service 'fraud_v0'.*\['fraud_v1', 'fraud_v2'"
    with pytest.raises(DefinitionsError, match=expected):
        _CATALOG.scorer(_served("fraud_v0", "tx_count_1d"))


def test_a_model_of_features_that_are_not_offered_is_refused() -> None:
    with pytest.raises(DefinitionsError, match=r"reads \['tx_count_1h'\], which"):
        _CATALOG.scorer(_served("fraud_v1", "tx_count_1d", "tx_count_1h"))
