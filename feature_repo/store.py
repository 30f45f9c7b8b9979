"""The project's Feast store, opened as the `feast` command opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstep.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore


def open_feature_store(settings: Settings) -> FeatureStore:
    """The store of `feature_repo/feature_store.yaml`; works from any working directory."""
    from feast import FeatureStore

    return FeatureStore(repo_path=str(settings.feature_repo_dir))
