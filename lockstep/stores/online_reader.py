"""Reads what a plan says from Redis, one round trip for a request's whole batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from lockstep.stores.online_read import ViewRead
from lockstep.stores.read_plan import ReadPlan
from lockstep.stores.redis_connection import Part, connect_async, redis_errors

HORIZON_SECONDS = 1.0
TIMEOUT_SECONDS = 1.0

Command = tuple[Part, ...]


class OnlineReader:
    """A plan and a pool of connections; for one event loop, any number of tasks.

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
        self._client = connect_async(url, timeout_seconds=timeout_seconds)
        self._monotonic = monotonic
        self._horizons: tuple[int | None, ...] = ()
        self._horizons_until = float("-inf")

    async def read(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, ViewRead]]:
        """For each entity row its views by name, in the order of the rows.

        All or nothing: an answer that is not complete is an error, never a partial read.

        Raises:
            EntityKeyError: a row lacks a join key, or it is of another type.
            StoreUnavailableError: Redis does not answer in time, or refuses.
        """
        commands: list[Command] = [
            ("HMGET", key_plan.key(row), *key_plan.fields)
            for row in rows
            for key_plan in self.plan.keys
        ]
        horizons, answers = await self._answers(commands)
        found = iter(answers)
        return [dict(self._entity(found, horizons)) for _ in rows]

    async def unmaterialized(self) -> tuple[str, ...]:
        """The views of which nothing was ever materialised, or of which Redis lost it.

        Raises:
            StoreUnavailableError: Redis does not answer in time, or refuses.
        """
        horizons, _ = await self._answers([])
        found = zip(self.plan.views, horizons, strict=True)
        return tuple(view.name for view, horizon in found if horizon is None)

    async def ping(self) -> None:
        """Returns when Redis answers.

        Raises:
            StoreUnavailableError: it does not.
        """
        with redis_errors(self._url):
            await self._client.execute_command("PING")

    async def close(self) -> None:
        """Gives the connections back."""
        await self._client.aclose()

    async def _answers(
        self, commands: Sequence[Command]
    ) -> tuple[tuple[int | None, ...], list[list[bytes | None]]]:
        """Horizons, and the answers to `commands`: never older rows than the horizons say.

        Redis answers in order, so the horizons are asked for first; and those of the
        cache are taken before the rows are asked for, not when they have come.
        """
        asked_at, horizons = self._monotonic(), self._horizons
        views = self.plan.views if asked_at >= self._horizons_until else ()
        with redis_errors(self._url):
            async with self._client.pipeline(transaction=False) as pipe:
                for command in (*(("GET", view.horizon_key) for view in views), *commands):
                    pipe.execute_command(*command)
                answers = await pipe.execute()
        if views:
            horizons = tuple(None if us is None else int(us) for us in answers[: len(views)])
            self._horizons, self._horizons_until = horizons, asked_at + HORIZON_SECONDS
        return horizons, answers[len(views) :]

    def _entity(
        self, answers: Iterator[Sequence[bytes | None]], horizons: Iterable[int | None]
    ) -> Iterator[tuple[str, ViewRead]]:
        horizon = iter(horizons)
        for key_plan in self.plan.keys:
            answer = iter(next(answers))
            for view in key_plan.views:
                fields = [next(answer) for _ in view.fields]
                yield view.name, view.decode(fields, next(horizon))
