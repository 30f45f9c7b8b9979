"""The feature repository that is served: its name and its Redis."""

from __future__ import annotations

import os
from dataclasses import dataclass

import yaml

from lockstep.settings import Settings
from serving.errors import DefinitionsError

_CONFIGURATION = "feature_store.yaml"


@dataclass(frozen=True)
class Catalog:
    """The Feast project whose values are served, and the Redis that holds them."""

    project: str
    redis_url: str

    @classmethod
    def load(cls, settings: Settings) -> Catalog:
        """The catalog of the feature repository, without importing Feast.

        Raises:
            DefinitionsError: feature_store.yaml is absent, names no project, or has a
                variable that is not set.
        """
        path = settings.feature_repo_dir / _CONFIGURATION
        try:
            text = os.path.expandvars(path.read_text())
            configuration = yaml.safe_load(text)
            if "${" in text:
                raise DefinitionsError.unset_variable(path, text)
            online = configuration["online_store"]
            return cls(configuration["project"], online.get("redis_url") or settings.redis_url)
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise DefinitionsError.unreadable(path, error) from error
