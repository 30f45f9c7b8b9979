"""The repository's file says where things are; the environment moves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from feast import RepoConfig

from lockstep.lake.lake import Lake
from lockstep.stores.errors import SourceError
from lockstep.stores.locations import lake_of, redis_url

OFFLINE = "lockstep.stores.offline.LockstepOfflineStore"
ONLINE = "lockstep.stores.online.LockstepOnlineStore"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCKSTEP_HOME", "LOCKSTEP_LAKE", "LOCKSTEP_PROJECT_DIR", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def config(repo: Path, offline: dict[str, Any], **online: str) -> RepoConfig:
    return RepoConfig(
        project="p",
        provider="local",
        registry=str(repo / "registry.db"),
        offline_store=offline,
        online_store={"type": ONLINE, **online},
        entity_key_serialization_version=3,
        repo_path=repo,
    )


def test_without_a_lake_paths_are_relative_to_the_repository(tmp_path: Path) -> None:
    assert lake_of(config(tmp_path, {"type": OFFLINE})) == Lake.at(tmp_path)
    assert lake_of(config(tmp_path, {"type": "dask"})) == Lake.at(tmp_path)


def test_a_lake_is_relative_to_the_repository(tmp_path: Path) -> None:
    named = config(tmp_path, {"type": OFFLINE, "lake": "../lake"})
    assert lake_of(named) == Lake.at(tmp_path / "../lake")


def test_lockstep_home_moves_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_HOME", str(tmp_path / "elsewhere"))
    moved = lake_of(config(tmp_path, {"type": OFFLINE, "lake": "../lake"}))
    assert moved == Lake.at(tmp_path / "elsewhere" / "lake")
    assert lake_of(config(tmp_path, {"type": OFFLINE})) == Lake.at(tmp_path)


@pytest.mark.parametrize("home", [None, "/elsewhere"])
def test_lockstep_lake_moves_the_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    if home:
        monkeypatch.setenv("LOCKSTEP_HOME", home)
    monkeypatch.setenv("LOCKSTEP_LAKE", "s3://bucket/lake/")
    moved = lake_of(config(tmp_path, {"type": OFFLINE, "lake": "../lake"}))
    assert moved == Lake.at("s3://bucket/lake")
    assert lake_of(config(tmp_path, {"type": OFFLINE})) == Lake.at(tmp_path)


def test_the_file_may_name_a_bucket(tmp_path: Path) -> None:
    named = config(tmp_path, {"type": OFFLINE, "lake": "s3://bucket/lake"})
    assert lake_of(named) == Lake.at("s3://bucket/lake")


def test_what_is_no_place_of_a_lake_is_one_message_of_feast(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'gs://bucket' is not the place of a lake"):
        lake_of(config(tmp_path, {"type": OFFLINE, "lake": "gs://bucket"}))


def test_redis_is_what_the_file_says_else_the_environment_else_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert redis_url(config(tmp_path, {"type": OFFLINE})) == "redis://127.0.0.1:6390/0"
    monkeypatch.setenv("REDIS_URL", "redis://environment/1")
    assert redis_url(config(tmp_path, {"type": OFFLINE})) == "redis://environment/1"
    named = config(tmp_path, {"type": OFFLINE}, redis_url="redis://file/2")
    assert redis_url(named) == "redis://file/2"
