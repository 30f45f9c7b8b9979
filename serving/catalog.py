"""The feature repository that is served: its name, its Redis and its installed definitions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import yaml

from lockstep.contract.registered_model import RegisteredModel
from lockstep.settings import Settings
from lockstep.stores.async_redis_servers import AsyncRedisServers
from lockstep.stores.redis_address import RedisAddress
from lockstep.stores.redis_errors import redis_errors
from serving.errors import DefinitionsError
from serving.preload import DEFINITIONS

if TYPE_CHECKING:
    from serving.scorer import Scorer

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

    async def ping(self) -> None:
        """Returns when Redis answers.

        Raises:
            StoreUnavailableError: it does not.
        """
        servers = AsyncRedisServers(RedisAddress.of(self.redis_url))
        try:
            with redis_errors(self.redis_url):
                await servers.ping()
        finally:
            await servers.close()

    def scorer(self, served: RegisteredModel) -> Scorer:
        """What scores with this model, from the features that it was trained on.

        Imports Feast, as `preload` does: call it outside the event loop.

        Raises:
            DefinitionsError: its feature service is not installed or offers other features.
        """
        from lockstep.stores.online_reader import OnlineReader
        from lockstep.stores.plan_compiler import read_plan
        from serving.feature_plan import FeaturePlan, feature_services
        from serving.scorer import Scorer

        artefact = served.predictor.artefact
        model, wanted = f"model {served.name!r} version {served.version}", artefact.feature_service
        definitions = import_module(f"{DEFINITIONS}.{artefact.use_case}")
        services = feature_services(definitions)
        if wanted not in services:
            raise DefinitionsError.unknown_service(model, wanted, services)
        plan = FeaturePlan.of(services[wanted], definitions)
        missing = set(artefact.feature_order) - set(plan.features)
        if missing:
            raise DefinitionsError.unknown_features(model, wanted, missing)
        reads = read_plan(self.project, plan.views, plan.stored)
        return Scorer(served, plan, OnlineReader(self.redis_url, reads))
