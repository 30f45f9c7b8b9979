"""Reads what a plan says from Redis, one round trip for a request's whole batch.

`OnlineReader` is for asyncio and `BlockingReader` for threads; both ask the same commands
and read the same answers.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice, repeat
from typing import Any, NamedTuple, TypeVar

from lockstep.stores.async_redis_servers import AsyncRedisServers
from lockstep.stores.feature_vectors import FeatureVectors, VectorDecoder
from lockstep.stores.online_read import ViewRead
from lockstep.stores.read_plan import ReadPlan
from lockstep.stores.redis_address import RedisAddress
from lockstep.stores.redis_errors import redis_errors
from lockstep.stores.redis_servers import Batch, RedisServers
from lockstep.stores.redis_wire import Reply, packed

HORIZON_SECONDS = 1.0
TIMEOUT_SECONDS = 1.0

# Rows that go out together: Redis works on them while the next are made.
BATCH_ROWS = 256

Rows = Sequence[Mapping[str, Any]]
Horizons = tuple[int | None, ...]
Answers = tuple[Horizons, Sequence[Reply]]
_T = TypeVar("_T")


class _Request(NamedTuple):
    """Batches of commands; the first is for the horizons where they are not known."""

    batches: Iterable[Batch]
    horizons: Horizons | None
    asked_at: float


class _Reader:
    """What both readers do without Redis: the commands, and horizons once a second."""

    def __init__(self, url: str, plan: ReadPlan, monotonic: Callable[[], float]) -> None:
        self.plan = plan
        self._url = url
        self._monotonic = monotonic
        self._horizon_keys = [view.horizon_key for view in plan.views]
        self._horizons: Horizons = ()
        self._horizons_until = float("-inf")

    @cached_property
    def _decoder(self) -> VectorDecoder:
        return VectorDecoder.of(self.plan)

    def _request(self, rows: Rows) -> _Request:
        """What to ask for `rows`: so many at a time, the first made before any is sent.

        The horizons go first, so that no row is older than they say; and those of the
        cache are taken now, not when the rows have come.
        """
        starts = range(0, len(rows), BATCH_ROWS)
        batches = (self._batch(rows[start : start + BATCH_ROWS]) for start in starts)
        ready = list(islice(batches, 1))
        now = self._monotonic()
        if now < self._horizons_until:
            return _Request(chain(ready, batches), self._horizons, now)
        commands = [packed("GET", key) for key in self._horizon_keys]
        ready.insert(0, (lambda: self._horizon_keys, commands))
        return _Request(chain(ready, batches), None, now)

    def _keep(self, replies: Sequence[Reply], asked_at: float) -> Horizons:
        """The horizons, for those too who ask within a second."""
        self._horizons = tuple(None if us is None else int(us) for us in replies)
        self._horizons_until = asked_at + HORIZON_SECONDS
        return self._horizons

    def _batch(self, rows: Rows) -> Batch:
        keys = self.plan.keys
        commands = [key.command(row) for row in rows for key in keys]
        return (lambda: [key.key(row) for row in rows for key in keys]), commands

    def _reads(self, answers: Answers, times: Iterator[int | None]) -> list[dict[str, ViewRead]]:
        horizons, replies = answers
        found = iter(replies)
        return [self.plan.entity(found, horizons, t) for t in self._own(times, replies)]

    def _vectors(self, answers: Answers, times: Iterator[int]) -> FeatureVectors:
        horizons, replies = answers
        return self._decoder.vectors(replies, horizons, list(self._own(times, replies)))

    def _own(self, times: Iterator[_T], replies: Sequence[Reply]) -> Iterator[_T]:
        """The next times, one for each row of a batch."""
        return islice(times, len(replies) // len(self.plan.keys))


class OnlineReader(_Reader):
    """A plan and one connection a server; for one event loop, any number of tasks.

    Connects when first asked and again after Redis comes back. Horizons are asked for
    at most once a second, by `monotonic`.
    """

    def __init__(
        self,
        url: str,
        plan: ReadPlan,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, plan, monotonic)
        self._redis = AsyncRedisServers(RedisAddress.of(url), timeout_seconds=timeout_seconds)

    async def read(
        self, rows: Rows, t_us: Sequence[int] | None = None
    ) -> list[dict[str, ViewRead]]:
        """For each entity row its views by name, in the order of the rows.

        With a T for each row, the step of then where the tail of a live view reaches back
        to it. All or nothing: an answer that is not complete is an error, never a partial
        read.

        Raises:
            EntityKeyError: a row lacks a join key, or it is of another type.
            StoreUnavailableError: Redis does not answer in time, or refuses.
        """
        times = _asked(t_us, rows)
        batches = [self._reads(answers, times) async for answers in self._answers(rows)]
        return list(chain.from_iterable(batches))

    async def vectors(self, rows: Rows, t_us: Sequence[int]) -> FeatureVectors:
        """A row of floats for each entity row, as known at its T; all or nothing.

        Raises:
            ReadPlanError: a feature is no number.
            EntityKeyError, StoreUnavailableError: as `read`.
        """
        times = iter(t_us)
        parts = [self._vectors(answers, times) async for answers in self._answers(rows)]
        return self._decoder.joined(parts)

    async def unmaterialized(self) -> tuple[str, ...]:
        """The views of which nothing was ever materialised, or of which Redis lost it.

        Raises:
            StoreUnavailableError: Redis does not answer in time, or refuses.
        """
        async for _ in self._answers([]):
            pass
        found = zip(self.plan.views, self._horizons, strict=True)
        return tuple(view.name for view, horizon in found if horizon is None)

    async def ping(self) -> None:
        """Returns when Redis answers.

        Raises:
            StoreUnavailableError: it does not.
        """
        with redis_errors(self._url):
            await self._redis.ping()

    async def close(self) -> None:
        """Ends the connections."""
        await self._redis.close()

    async def _answers(self, rows: Rows) -> AsyncIterator[Answers]:
        batches, horizons, asked_at = self._request(rows)
        with redis_errors(self._url):
            async for replies in self._redis.ask_in_turn(batches):
                if horizons is None:
                    horizons = self._keep(replies, asked_at)
                else:
                    yield horizons, replies


class BlockingReader(_Reader):
    """The same for threads: each has a connection of its own while it asks."""

    def __init__(
        self,
        url: str,
        plan: ReadPlan,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, plan, monotonic)
        self._redis = RedisServers(RedisAddress.of(url), timeout_seconds=timeout_seconds)

    def read(self, rows: Rows, t_us: Sequence[int] | None = None) -> list[dict[str, ViewRead]]:
        """As `OnlineReader.read`."""
        times = _asked(t_us, rows)
        batches = [self._reads(answers, times) for answers in self._answers(rows)]
        return list(chain.from_iterable(batches))

    def vectors(self, rows: Rows, t_us: Sequence[int]) -> FeatureVectors:
        """As `OnlineReader.vectors`; rows are decoded while Redis works on the next."""
        times = iter(t_us)
        parts = [self._vectors(answers, times) for answers in self._answers(rows)]
        return self._decoder.joined(parts)

    def close(self) -> None:
        """Ends the connections."""
        self._redis.close()

    def _answers(self, rows: Rows) -> Iterator[Answers]:
        batches, horizons, asked_at = self._request(rows)
        with redis_errors(self._url):
            for replies in self._redis.ask_in_turn(batches):
                if horizons is None:
                    horizons = self._keep(replies, asked_at)
                else:
                    yield horizons, replies


def _asked(t_us: Sequence[int] | None, rows: Rows) -> Iterator[int | None]:
    return repeat(None, len(rows)) if t_us is None else iter(t_us)
