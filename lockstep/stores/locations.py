"""Where the lake and Redis of a Feast repository are.

The repository's own file says so; the environment moves them (`LOCKSTEP_LAKE`,
`LOCKSTEP_HOME`, `REDIS_URL`), as it does for every other part of a project.
"""

from __future__ import annotations

from pathlib import Path

from feast import RepoConfig

from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.stores.lake_errors import lake_errors


def repo_path(config: RepoConfig) -> Path:
    """The folder with feature_store.yaml; the working directory for a store without one."""
    return Path(config.repo_path or Path.cwd())


def lake_of(config: RepoConfig) -> Lake:
    """What the relative path of a FileSource is relative to.

    The `lake` of the offline store, a URI or a path from the repository, unless
    `LOCKSTEP_LAKE` or `LOCKSTEP_HOME` moves it. Without `lake`, as Feast has it: the
    repository.

    Raises:
        SourceError: it names no kind of lake.
    """
    # Feast's own offline stores have no lake.
    lake = getattr(config.offline_store, "lake", None)
    if lake is None:
        return Lake.at(repo_path(config))
    settings = _settings(config)
    with lake_errors():
        if settings.lake_uri or settings.home:
            return Lake.at(settings.lake)
        return Lake.at(lake if "://" in lake else repo_path(config) / lake)


def redis_url(config: RepoConfig) -> str:
    """The `redis_url` of the online store, else `REDIS_URL`, else the embedded server's."""
    return str(config.online_store.redis_url or _settings(config).redis_url)


def _settings(config: RepoConfig) -> Settings:
    return Settings(project_dir=repo_path(config).resolve().parent)
