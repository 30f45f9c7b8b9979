"""Reads what a plan says from Redis, one round trip for a request's whole batch.

`OnlineReader` is for asyncio and `BlockingReader` for threads; both ask the same commands
and read the same answers.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any

from lockstep.stores.async_redis_servers import AsyncRedisServers
from lockstep.stores.feature_vectors import FeatureVectors, VectorDecoder
from lockstep.stores.online_read import ViewRead
from lockstep.stores.read_plan import ReadPlan
from lockstep.stores.redis_address import RedisAddress
from lockstep.stores.redis_connection import redis_errors
from lockstep.stores.redis_servers import Batch, RedisServers
from lockstep.stores.redis_wire import Reply, packed

HORIZON_SECONDS = 1.0
TIMEOUT_SECONDS = 1.0

# Rows that go out together: Redis works on them while the next are made.
BATCH_ROWS = 256

Rows = Sequence[Mapping[str, Any]]
Horizons = tuple[int | None, ...]
Answers = tuple[Horizons, Sequence[Reply]]


class _Requests:
    """What both readers do without Redis: the commands, and horizons once a second."""

    def __init__(self, plan: ReadPlan, monotonic: Callable[[], float]) -> None:
        self._plan = plan
        self._monotonic = monotonic
        self._horizon_keys = [view.horizon_key for view in plan.views]
        self._horizons: Horizons | None = None
        self._horizons_until = float("-inf")

    @cached_property
    def decoder(self) -> VectorDecoder:
        """What makes vectors; there is none where a feature is no number."""
        return VectorDecoder.of(self._plan)

    def request(self, rows: Rows) -> _Request:
        """What to ask for `rows`: so many at a time, the first made before any is sent.

        The horizons go first, so that no row is older than they say; and those of the
        cache are taken now, not when the rows have come.
        """
        starts = range(0, len(rows), BATCH_ROWS)
        batches = (self._batch(rows[start : start + BATCH_ROWS]) for start in starts)
        ready = list(islice(batches, 1))
        now = self._monotonic()
        if now < self._horizons_until:
            return _Request(self, chain(ready, batches), self._horizons, now)
        commands = [packed("GET", key) for key in self._horizon_keys]
        ready.insert(0, (lambda: self._horizon_keys, commands))
        return _Request(self, chain(ready, batches), None, now)

    def keep(self, horizons: Horizons, asked_at: float) -> None:
        """The horizons for those who ask within a second."""
        self._horizons, self._horizons_until = horizons, asked_at + HORIZON_SECONDS

    def _batch(self, rows: Rows) -> Batch:
        keys = self._plan.keys
        commands = [key.command(row) for row in rows for key in keys]
        return (lambda: [key.key(row) for row in rows for key in keys]), commands


class _Request:
    """One request under way."""

    def __init__(
        self,
        requests: _Requests,
        batches: Iterable[Batch],
        horizons: Horizons | None,
        asked_at: float,
    ) -> None:
        self.batches = batches
        self.horizons = horizons
        self._requests = requests
        self._asked_at = asked_at

    def answers(self, replies: Sequence[Reply]) -> Iterator[Answers]:
        """The horizons and the answers of a batch of rows; nothing for the horizons' own."""
        if self.horizons is not None:
            yield self.horizons, replies
            return
        self.horizons = tuple(None if us is None else int(us) for us in replies)
        self._requests.keep(self.horizons, self._asked_at)


class _Vectors:
    """Vectors of one batch after another."""

    def __init__(self, decoder: VectorDecoder, t_us: Sequence[int]) -> None:
        self._decoder = decoder
        self._times = iter(t_us)
        self._parts: list[FeatureVectors] = []

    def add(self, answers: Answers) -> None:
        horizons, rows = answers
        times = list(islice(self._times, len(rows) // len(self._decoder.plan.keys)))
        self._parts.append(self._decoder.vectors(rows, horizons, times))

    def all(self) -> FeatureVectors:
        return self._decoder.joined(self._parts)


class OnlineReader:
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
        self.plan = plan
        self._url = url
        self._requests = _Requests(plan, monotonic)
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
        answers = [answer async for answer in self._answers(self._requests.request(rows))]
        return _reads(self.plan, answers, t_us or [None] * len(rows))

    async def vectors(self, rows: Rows, t_us: Sequence[int]) -> FeatureVectors:
        """A row of floats for each entity row, as known at its T; all or nothing.

        Raises:
            ReadPlanError: a feature is no number.
            EntityKeyError, StoreUnavailableError: as `read`.
        """
        vectors = _Vectors(self._requests.decoder, t_us)
        async for answers in self._answers(self._requests.request(rows)):
            vectors.add(answers)
        return vectors.all()

    async def unmaterialized(self) -> tuple[str, ...]:
        """The views of which nothing was ever materialised, or of which Redis lost it.

        Raises:
            StoreUnavailableError: Redis does not answer in time, or refuses.
        """
        request = self._requests.request([])
        async for _ in self._answers(request):
            pass
        found = zip(self.plan.views, request.horizons or (), strict=True)
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

    async def _answers(self, request: _Request) -> AsyncIterator[Answers]:
        with redis_errors(self._url):
            async for replies in self._redis.ask_in_turn(request.batches):
                for answers in request.answers(replies):
                    yield answers


class BlockingReader:
    """The same for threads: each has a connection of its own while it asks."""

    def __init__(
        self,
        url: str,
        plan: ReadPlan,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan = plan
        self._url = url
        self._requests = _Requests(plan, monotonic)
        self._redis = RedisServers(RedisAddress.of(url), timeout_seconds=timeout_seconds)

    def read(self, rows: Rows, t_us: Sequence[int] | None = None) -> list[dict[str, ViewRead]]:
        """As `OnlineReader.read`."""
        answers = self._answers(self._requests.request(rows))
        return _reads(self.plan, answers, t_us or [None] * len(rows))

    def vectors(self, rows: Rows, t_us: Sequence[int]) -> FeatureVectors:
        """As `OnlineReader.vectors`; rows are decoded while Redis works on the next."""
        vectors = _Vectors(self._requests.decoder, t_us)
        for answers in self._answers(self._requests.request(rows)):
            vectors.add(answers)
        return vectors.all()

    def close(self) -> None:
        """Ends the connections."""
        self._redis.close()

    def _answers(self, request: _Request) -> Iterator[Answers]:
        with redis_errors(self._url):
            for replies in self._redis.ask_in_turn(request.batches):
                yield from request.answers(replies)


def _reads(
    plan: ReadPlan, answers: Iterable[Answers], t_us: Sequence[int | None]
) -> list[dict[str, ViewRead]]:
    times = iter(t_us)
    reads = []
    for horizons, rows in answers:
        found = iter(rows)
        for t in islice(times, len(rows) // len(plan.keys)):
            reads.append(plan.entity(found, horizons, t))
    return reads
