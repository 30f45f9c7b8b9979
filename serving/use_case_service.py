"""One use case of a server: bodies in, answers out, by the models that serve now."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

import msgspec

from lockstep.contract.clock import Clock
from lockstep.contract.registered_model import RegisteredModel
from lockstep.contract.status_policy import REJECTED
from lockstep.errors import LockstepError
from lockstep.stores.online_reader import OnlineReader
from lockstep.stores.read_plan import ReadPlan
from lockstep.windows.microseconds import microseconds
from serving.answers import Answers, Asking, Document, columns_of, shap_values
from serving.batches import Batches
from serving.breaker import CircuitBreaker
from serving.coalescer import Coalescer
from serving.errors import NoExampleError, NotMaterializedError, ReloadError, ServingError
from serving.feature_log import FeatureLog
from serving.fresh_reads import FreshReads
from serving.log_schema import served_rows
from serving.metrics import Metrics
from serving.model_cache import ModelCache
from serving.model_store import ModelStore, Serving
from serving.plan import ServicePlan
from serving.rows import Asked, Scored
from serving.schemas import PredictRequest
from serving.scorer import Scorer
from serving.settings import ServingSettings
from serving.shadows import Shadows
from serving.use_case import UseCase

_ID_BYTES = 16


class UseCaseService:
    """One use case of a server: its models, and the requests that they answer.

    `clock` gives T to requests that name none; `log` takes what was served.
    """

    def __init__(
        self,
        use_case: UseCase,
        services: Mapping[str, ServicePlan],
        settings: ServingSettings,
        *,
        redis_url: str,
        clock: Clock,
        metrics: Metrics,
        breaker: CircuitBreaker,
        log: FeatureLog | None,
    ) -> None:
        self.use_case = use_case
        self._settings = settings
        self._redis_url = redis_url
        self._clock = clock
        self._metrics = metrics
        self._breaker = breaker
        self._log = log
        self.cache = ModelCache.under(settings.models_dir, use_case.name)
        self.models = ModelStore(
            self.cache,
            services,
            self._scorer,
            on_swap=self._swapped,
            on_state=lambda state: metrics.refused(use_case.name, len(state.refused)),
        )
        metrics.declare(use_case.name, use_case.decision_limits)
        self._batches = Batches(
            use_case.request, self._answered_rows, most_rows=settings.max_batch_rows
        )
        self._coalescer = Coalescer(
            self._predicted,
            most_rows=settings.most_coalesced_rows,
            gather_seconds=settings.gather_seconds,
            on_batch=metrics.batch_rows.labels(use_case.name).observe,
        )
        self._shadows = Shadows(
            partial(self._observe, "challenger"),
            on_skipped=lambda rows: metrics.shadow_skipped.labels(use_case.name).inc(rows),
        )

    async def predict(self, body: bytes) -> bytes:
        """The document of one prediction, for one request.

        Raises:
            ValidationError: the body is not valid.
            LockstepError: there is no model, no Redis, or this row may not be scored.
        """
        asking = self._asking_of(body)
        answered = await self._coalescer.answer(asking)
        if isinstance(answered, ServingError):
            raise answered
        return msgspec.json.encode(answered)

    async def predict_batch(self, body: bytes) -> bytes:
        """Answers in the order of the rows, each a prediction or a problem.

        Raises:
            ValidationError: the body is no list of rows.
            TooManyRowsError: it has more rows than the limit.
            LockstepError: there is no model or no Redis.
        """
        await self.models.seek()
        return await self._batches.answered(body, self.models.current, self._clock.now())

    async def explain(self, body: bytes) -> bytes:
        """The document of an explanation.

        Raises:
            ValidationError, LockstepError: as `predict`.
        """
        asking = self._asking_of(body)
        serving = await self.models.found()
        scored = await self._scored(serving, [asking])
        answers = Answers(self.use_case, serving.champion)
        (answered,) = answers.predictions([asking], scored)
        if isinstance(answered, ServingError):
            raise answered
        # Milliseconds of CPU: other requests go on meanwhile.
        shap = await asyncio.to_thread(shap_values, answers.scorer, scored)
        return msgspec.json.encode(answers.explanation(answered, scored, shap))

    async def features(self, body: bytes) -> bytes:
        """What the online store holds for some entities.

        Raises:
            ValidationError: the body is not valid.
            LockstepError: there is no model or no Redis.
        """
        request = self.use_case.entities.model_validate_json(body)
        t = request.event_timestamp or self._clock.now()
        scorer = (await self.models.found()).champion
        asked = Asked([request.entity_ids()], {}, [microseconds(t)])
        with self._breaker.guarded():
            read = await scorer.read(asked)
        return msgspec.json.encode(Answers(self.use_case, scorer).stored(t, read))

    async def random(self) -> Document:
        """One of the requests that came with the model, asked now, and its answer.

        Raises:
            NoExampleError: the model has none.
            LockstepError: as `predict`.
        """
        served = (await self.models.found()).champion.served
        requests = served.metadata.get("requests")
        if not requests:
            raise NoExampleError.of(served.name, served.version)
        request = random.choice(requests)
        answer = await self.predict(msgspec.json.encode(request))
        return {"request": request, "answer": msgspec.json.decode(answer)}

    def described(self) -> Document:
        """The document of `Models`."""
        state, loaded = self.models.state, []
        with suppress(LockstepError):
            serving = self.models.current()
            pairs = [("champion", serving.champion), ("challenger", serving.challenger)]
            loaded = [self._loaded(alias, scorer) for alias, scorer in pairs if scorer]
        return {
            "use_case": self.use_case.name,
            "loaded": loaded,
            "refused": [
                {"alias": refusal.alias, "version": refusal.version, "why": refusal.why}
                for refusal in state.refused
            ],
            "registry": state.problem,
            "checked": state.checked,
        }

    async def reload(self) -> None:
        """Returns once the fetcher has looked at the registry and this process follows it.

        Raises:
            ReloadError: it did not within `reload_seconds`.
        """
        number = self.cache.ask_for_reload()
        try:
            async with asyncio.timeout(self._settings.reload_seconds):
                while self.cache.state().answered < number:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ReloadError.late(self._settings.reload_seconds) from None
        await self.models.refresh()

    async def why_not_ready(self) -> dict[str, LockstepError]:
        """The views that are empty in Redis, where there is a model.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        try:
            scorer = (await self.models.found()).champion
        except LockstepError:
            return {}
        views = await scorer.reader.unmaterialized()
        return (
            {f"features {self.use_case.name}": NotMaterializedError.views(views)} if views else {}
        )

    async def close(self) -> None:
        """Ends what runs in the background."""
        self._shadows.close()
        await self.models.close()

    def _asking_of(self, body: bytes) -> Asking:
        """The only request of a body."""
        request = self.use_case.request.model_validate_json(body)
        (asking,) = self._askings([request], self._clock.now())
        return asking

    def _askings(self, requests: Sequence[PredictRequest], now: datetime) -> list[Asking]:
        """The requests with their T, and an id for each; the randomness is asked for once."""
        ids = os.urandom(_ID_BYTES * len(requests)).hex()
        askings = []
        for number, request in enumerate(requests):
            t = request.event_timestamp or now
            request_id = ids[2 * _ID_BYTES * number : 2 * _ID_BYTES * (number + 1)]
            askings.append(Asking(request, t, microseconds(t), request_id))
        return askings

    async def _predicted(self, askings: Sequence[Asking]) -> list[Document | ServingError]:
        """A document or a refusal for each request, scored together."""
        return await self._answered(await self.models.found(), askings)

    async def _answered_rows(
        self, serving: Serving, requests: Sequence[PredictRequest], now: datetime
    ) -> list[Document | ServingError]:
        return await self._answered(serving, self._askings(requests, now))

    async def _answered(
        self, serving: Serving, askings: Sequence[Asking]
    ) -> list[Document | ServingError]:
        scored = await self._scored(serving, askings)
        return Answers(self.use_case, serving.champion).predictions(askings, scored)

    async def _scored(self, serving: Serving, askings: Sequence[Asking]) -> Scored:
        asked = columns_of(askings, with_fresh=bool(self.use_case.windows))
        with self._breaker.guarded():
            scored = await serving.champion.score(asked)
        self._observe("champion", serving.champion, askings, asked, scored)
        if serving.challenger is not None:
            self._shadows.score(serving.challenger, askings, asked)
        return scored

    def _observe(
        self, alias: str, scorer: Scorer, askings: Sequence[Asking], asked: Asked, scored: Scored
    ) -> None:
        """Counts what was served, and hands it to the log."""
        events = self.use_case.events
        decisions = [
            REJECTED if row in scored.refused else events.decision(number)
            for row, number in enumerate(scored.decided.tolist())
        ]
        self._metrics.scored(self.use_case.name, alias, scored, decisions)
        if self._log is not None:
            rows = served_rows(
                scorer.log_schema,
                scorer.served,
                alias,
                asked,
                scored,
                request_ids=[asking.request_id for asking in askings],
                logged_us=microseconds(self._clock.now()),
                decisions=decisions,
            )
            self._log.put(rows)

    def _scorer(self, served: RegisteredModel, plan: ServicePlan) -> Scorer:
        fresh = FreshReads.of(plan, self.use_case.windows, self._reader)
        timed = self._metrics.timed(self.use_case.name)
        return Scorer(served, plan, self._reader(plan.reads), timed, fresh)

    def _reader(self, reads: ReadPlan) -> OnlineReader:
        return OnlineReader(
            self._redis_url, reads, timeout_seconds=self._settings.redis_timeout_seconds
        )

    def _swapped(self, alias: str, scorer: Scorer | None) -> None:
        self._metrics.loaded(self.use_case.name, alias, scorer.served if scorer else None)

    def _loaded(self, alias: str, scorer: Scorer) -> Document:
        artefact = scorer.served.predictor.artefact
        return {
            "alias": alias,
            **Answers(self.use_case, scorer).model,
            "threshold": artefact.threshold,
            "trained_as_of": artefact.trained_as_of,
        }
