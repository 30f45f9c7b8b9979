"""The project's Feast store, opened as the `feast` command opens it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockstep.errors import LockstepError
from lockstep.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore, RepoConfig

# Feast's own: another file than feature_store.yaml, such as that of the cluster profile.
CONFIGURATION_FILE = "FEAST_FS_YAML_FILE_PATH"


class ConfigurationError(LockstepError):
    """A configuration of Feast that cannot be used."""

    @classmethod
    def unset_variable(cls, path: Path, name: str) -> ConfigurationError:
        return cls(f"{path} uses ${{{name}}}, which is not set", next_step=f"set {name}")


def open_feature_store(settings: Settings) -> FeatureStore:
    """The store of `feature_repo/feature_store.yaml`; works from any working directory.

    FEAST_FS_YAML_FILE_PATH names another file, as for `feast`.

    Raises:
        ConfigurationError: the file uses a variable that is not set.
    """
    check_variables(settings)
    from feast import FeatureStore

    return FeatureStore(repo_path=str(settings.feature_repo_dir))


def repo_config(settings: Settings) -> RepoConfig:
    """The configuration alone, for those who read no registry.

    Raises:
        ConfigurationError: the file uses a variable that is not set.
    """
    check_variables(settings)
    from feast.repo_config import load_repo_config

    return load_repo_config(settings.feature_repo_dir, _configuration(settings))


def check_variables(settings: Settings) -> None:
    """Returns where every `${VARIABLE}` of the configuration is set: Feast lets them stand.

    Raises:
        ConfigurationError: names the first that is not.
    """
    path = _configuration(settings)
    if not path.is_file():
        return  # Feast says so itself, by name
    rows = path.read_text().splitlines()
    text = os.path.expandvars("\n".join(row for row in rows if not row.lstrip().startswith("#")))
    if "${" in text:
        name = text.partition("${")[2].partition("}")[0]
        raise ConfigurationError.unset_variable(path, name)


def _configuration(settings: Settings) -> Path:
    named = os.environ.get(CONFIGURATION_FILE)
    return Path(named) if named else settings.feature_repo_dir / "feature_store.yaml"
