"""All use cases of a server, and what keeps them from answering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from lockstep.contract.clock import Clock
from lockstep.errors import LockstepError
from lockstep.stores.async_redis_servers import AsyncRedisServers
from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.redis_address import RedisAddress
from lockstep.stores.redis_errors import redis_errors
from serving.breaker import CircuitBreaker
from serving.catalog import Catalog
from serving.feature_log import FeatureLog
from serving.metrics import Metrics
from serving.plan import ServingPlan
from serving.settings import ServingSettings
from serving.use_case import UseCase
from serving.use_case_service import UseCaseService

_log = structlog.get_logger(__name__)


class Services:
    """All use cases of one server, while it runs."""

    def __init__(
        self,
        settings: ServingSettings,
        use_cases: Mapping[str, UseCase],
        plan: ServingPlan,
        *,
        clock: Clock,
        metrics: Metrics,
        log: FeatureLog | None,
    ) -> None:
        self._settings = settings
        self._url = Catalog.load(settings.project).redis_url
        self._redis = AsyncRedisServers(
            RedisAddress.of(self._url), timeout_seconds=settings.redis_timeout_seconds
        )
        self.breaker = CircuitBreaker(pause_seconds=settings.redis_pause_seconds)
        self.by_name = {
            name: UseCaseService(
                use_case,
                plan.use_cases[name],
                settings,
                redis_url=self._url,
                clock=clock,
                metrics=metrics,
                breaker=self.breaker,
                log=log,
            )
            for name, use_case in use_cases.items()
        }

    async def why_not_ready(self) -> dict[str, LockstepError]:
        """What keeps requests from being answered, by what is missing; empty when ready."""
        missing = await self.why_not_started()
        try:
            await self._ping()
            for service in self.by_name.values():
                missing |= await service.why_not_ready()
        except StoreUnavailableError as error:
            missing["redis"] = error
        return missing

    async def why_not_started(self) -> dict[str, LockstepError]:
        """The use cases of which no model was ever loaded, and why.

        Where another has one, those are not missed for which none was ever registered.
        """
        missing: dict[str, LockstepError] = {}
        for name, service in self.by_name.items():
            try:
                await service.models.found()
            except LockstepError as error:
                missing[name] = error
        if len(missing) == len(self.by_name):
            return missing
        return {
            name: error
            for name, error in missing.items()
            if not self.by_name[name].models.state.is_unregistered
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the models in the background while the block runs."""
        try:
            await self._ping()
        except StoreUnavailableError as error:
            _log.warning("no redis", why=str(error))
        seconds = self._settings.model_look_seconds
        watching = [
            asyncio.create_task(service.models.watch(seconds)) for service in self.by_name.values()
        ]
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            for service in self.by_name.values():
                await service.close()
            await self._redis.close()

    async def _ping(self) -> None:
        with redis_errors(self._url):
            await self._redis.ping()
