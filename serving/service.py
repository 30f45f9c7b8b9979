"""What the routes call: predictions and readiness, over whatever is loaded and up."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog

from lockstep.contract.clock import Clock
from lockstep.contract.registered_model import load_model
from lockstep.errors import LockstepError
from lockstep.stores.errors import StoreUnavailableError
from serving.catalog import Catalog
from serving.errors import NotMaterializedError
from serving.model_store import ModelStore
from serving.preload import preload
from serving.schemas import Prediction, PredictRequest, ServedBy, ServedFeature
from serving.settings import ServingSettings
from serving.use_case import UseCase

if TYPE_CHECKING:
    from serving.scorer import Scorer

_log = structlog.get_logger(__name__)


class PredictionService:
    """The use cases of one server, each with its model.

    `clock` gives T to requests that name none.
    """

    def __init__(
        self, settings: ServingSettings, use_cases: Mapping[str, UseCase], clock: Clock
    ) -> None:
        self._catalog = Catalog.load(settings.project)
        self._registry_uri = settings.project.tracking_uri
        self._clock = clock
        self._stores = {
            name: ModelStore(
                name, partial(self._load, name), retry_seconds=settings.model_retry_seconds
            )
            for name in use_cases
        }

    async def predict(self, use_case: UseCase, request: PredictRequest) -> Prediction:
        """The prediction for one request.

        Raises:
            LockstepError: there is no model, no Redis, or T lies before the stored values.
        """
        scorer = self._stores[use_case.name].current()
        t = request.event_timestamp or self._clock.now()
        scored = await scorer.score(request.entity_ids(), request.request_values(t), t)
        served = scorer.served
        artefact = served.predictor.artefact
        return use_case.prediction(
            request_id=uuid.uuid4().hex,
            event_timestamp=t,
            score=scored.score,
            threshold=artefact.threshold,
            model=ServedBy(
                name=served.name, version=served.version, feature_service=artefact.feature_service
            ),
            features={
                name: ServedFeature(value=f.value, status=f.status, age_seconds=f.age_seconds)
                for name, f in scored.features.items()
            },
            **use_case.own_fields(request, scored.is_positive),
        )

    async def why_not_ready(self) -> dict[str, LockstepError]:
        """What keeps requests from being answered, by what is missing; empty when ready."""
        missing: dict[str, LockstepError] = {}
        for name, store in self._stores.items():
            try:
                store.current()
            except LockstepError as error:
                missing[name] = error
        try:
            await self._catalog.ping()
            missing |= await self._unmaterialized(set(self._stores) - set(missing))
        except StoreUnavailableError as error:
            missing["redis"] = error
        return missing

    async def _unmaterialized(self, names: Iterable[str]) -> dict[str, LockstepError]:
        missing: dict[str, LockstepError] = {}
        for name in names:
            if views := await self._stores[name].current().reader.unmaterialized():
                missing[f"features {name}"] = NotMaterializedError.views(views)
        return missing

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Loads models in the background while the block runs."""
        loading = asyncio.create_task(self._start())
        try:
            yield
        finally:
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading
            for store in self._stores.values():
                await store.close()

    async def _start(self) -> None:
        try:
            await self._catalog.ping()
        except StoreUnavailableError as error:
            _log.warning("no redis", why=str(error))
        await asyncio.gather(*(store.keep_trying() for store in self._stores.values()))

    def _load(self, use_case: str) -> Scorer:
        preload(use_case)
        return self._catalog.scorer(load_model(self._registry_uri, use_case))
