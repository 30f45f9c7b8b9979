"""Requests that wait at the same time become one batch: one round trip, one call of the model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Row = TypeVar("Row")
Answer = TypeVar("Answer")


class Coalescer(Generic[Row, Answer]):
    """Hands rows to `answer_all` together; for one event loop.

    A row that comes while nothing is asked goes out at once, with those that arrived in the
    same turn of the loop: alone it waits for nobody. While a batch is under way others
    gather, so that batches grow with the load and no timer is needed. An error of
    `answer_all` is that of all its rows.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[Row]], Awaitable[Sequence[Answer]]],
        *,
        most_rows: int,
        on_batch: Callable[[int], None] = lambda rows: None,
    ) -> None:
        self._answer_all = answer_all
        self._most_rows = most_rows
        self._on_batch = on_batch
        self._waiting: list[tuple[Row, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def answer(self, row: Row) -> Answer:
        """The answer to one row."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._most_rows]
                del self._waiting[: self._most_rows]
                await self._settle(batch)
        finally:
            self._running = None

    async def _settle(self, batch: Sequence[tuple[Row, asyncio.Future[Answer]]]) -> None:
        # A client that went away asks for nothing any more.
        batch = [(row, future) for row, future in batch if not future.done()]
        if not batch:
            return
        self._on_batch(len(batch))
        try:
            answers = await self._answer_all([row for row, _ in batch])
            answered = list(zip(batch, answers, strict=True))
        except Exception as error:  # noqa: BLE001  whoever asked gets it, whatever it is
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in answered:
            if not future.done():
                future.set_result(answer)
