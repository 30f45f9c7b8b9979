"""The models that score now: watched in the cache, swapped between two requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from lockstep.contract.registered_model import NoModelError, RegisteredModel
from lockstep.errors import LockstepError
from serving.model_cache import Cached, CacheState, ModelCache
from serving.plan import ServicePlan
from serving.scorer import Scorer, plan_for

_log = structlog.get_logger(__name__)

# Longer than any request may take.
_GRACE_SECONDS = 30.0

# Told the alias, and the scorer that has it now; None where none has it any more.
OnSwap = Callable[[str, Scorer | None], None]
# Told what the fetcher decided, whether that changes what serves or not.
OnState = Callable[[CacheState], None]


@dataclass(frozen=True)
class Serving:
    """The scorer whose answers count, and one that is only watched."""

    champion: Scorer
    challenger: Scorer | None


class ModelStore:
    """Holds what serves for one use case, or why there is nothing.

    A request takes `current` once and keeps it to its end, so that a swap in between does not
    touch it. A model that this process cannot load leaves the one before in place.
    """

    def __init__(
        self,
        cache: ModelCache,
        services: Mapping[str, ServicePlan],
        make: Callable[[RegisteredModel, ServicePlan], Scorer],
        *,
        on_swap: OnSwap = lambda alias, scorer: None,
        on_state: OnState = lambda state: None,
    ) -> None:
        self.state = CacheState()
        self._cache = cache
        self._services = services
        self._make = make
        self._on_swap = on_swap
        self._on_state = on_state
        self._stamp: object = object()
        self._serving: Serving | None = None
        self._loaded: dict[Cached, Scorer] = {}
        self._retired: list[Scorer] = []
        self._retiring: set[asyncio.Task[None]] = set()
        self._why_not: LockstepError = NoModelError.loading(cache.use_case)
        self._refreshing = asyncio.Lock()

    def current(self) -> Serving:
        """What serves.

        Raises:
            LockstepError: nothing does; the error says why.
        """
        if self._serving is None:
            # Without the frames of whoever it was said to before: they would pile up on it.
            raise self._why_not.with_traceback(None)
        return self._serving

    async def found(self) -> Serving:
        """What serves, after `seek`.

        Raises:
            LockstepError: nothing does; the error says why.
        """
        await self.seek()
        return self.current()

    async def seek(self) -> None:
        """Looks now where nothing serves: another worker may have said already that it is ready."""
        if self._serving is None:
            await self.refresh()

    async def watch(self, seconds: float) -> None:
        """Follows the cache until it is cancelled, looking every so many seconds."""
        while True:
            await self.refresh()
            await asyncio.sleep(seconds)

    async def refresh(self) -> None:
        """Takes over what the fetcher last decided, if that is new; a failure is logged."""
        # One after another: who comes second finds what the first one loads.
        async with self._refreshing:
            try:
                await self._follow()
            except Exception as error:  # noqa: BLE001  whatever a file holds, it goes on looking
                name = self._cache.use_case
                _log.error("following the models failed", use_case=name, exc_info=error)

    async def _follow(self) -> None:
        stamp = self._cache.stamp()
        if stamp == self._stamp:
            return
        self._stamp, self.state = stamp, self._cache.state()
        self._on_state(self.state)
        champion = await self._scorer("champion", self.state.champion)
        if champion is None:
            self._why_not = self._reason()
            return
        challenger = await self._scorer("challenger", self.state.challenger)
        before, self._serving = self._serving, Serving(champion, challenger)
        if before is None or before.champion is not champion:
            self._on_swap("champion", champion)
        if challenger is not (before.challenger if before else None):
            self._on_swap("challenger", challenger)
        kept = {self.state.champion, self.state.challenger}
        for cached in set(self._loaded) - kept:
            self._retire(self._loaded.pop(cached))

    async def close(self) -> None:
        """Gives the connections back."""
        for task in self._retiring:
            task.cancel()
        for scorer in (*self._loaded.values(), *self._retired):
            await scorer.close()

    def _retire(self, scorer: Scorer) -> None:
        """Ends the connections of a scorer once no request can have it any more."""

        async def end() -> None:
            await asyncio.sleep(_GRACE_SECONDS)
            self._retired.remove(scorer)
            await scorer.close()

        self._retired.append(scorer)
        task = asyncio.create_task(end())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _scorer(self, alias: str, cached: Cached | None) -> Scorer | None:
        if cached is None or cached in self._loaded:
            return self._loaded[cached] if cached else None
        try:
            scorer = await asyncio.to_thread(self._load, cached)
        except LockstepError as error:
            self._why_not = error
            _log.warning("model not loaded", use_case=self._cache.use_case, why=str(error))
            return None
        self._loaded[cached] = scorer
        _log.info(
            "model loaded", use_case=self._cache.use_case, alias=alias, version=cached.version
        )
        return scorer

    def _load(self, cached: Cached) -> Scorer:
        served, example = self._cache.load(cached)
        scorer = self._make(served, plan_for(served, self._services))
        served.predictor.row_outputs(example)
        return scorer

    def _reason(self) -> LockstepError:
        """Why there is no champion, as far as the fetcher or this process knows."""
        if self.state.champion is not None:
            return self._why_not
        name = self._cache.use_case
        for refusal in self.state.refused:
            if refusal.alias == "champion":
                return NoModelError.refused(name, refusal.version, refusal.why)
        if self.state.problem:
            return NoModelError.said(name, self.state.problem)
        return self._why_not
