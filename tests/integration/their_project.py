"""Somebody else's repository, in which only the types of the stores were changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feast import FeatureStore, RepoConfig


def their_store(
    folder: Path,
    *objects: Any,
    offline: Mapping[str, object] = {},
    engine: Mapping[str, object] = {},
) -> FeatureStore:
    """The store of a repository in `folder` to which `objects` were applied."""
    config = RepoConfig(
        project="theirs",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store={"type": "lockstep.stores.offline.LockstepOfflineStore", **offline},
        online_store={"type": "lockstep.stores.online.LockstepOnlineStore"},
        batch_engine={"type": "lockstep.stores.engine.LockstepComputeEngine", **engine},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    store.apply(list(objects))
    return store
