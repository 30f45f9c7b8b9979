"""Requests that wait at the same time become one batch: one round trip, one call of the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

# From so many rows on their own cost is greater than that of the batch.
_FEW_ROWS = 16
# How much the newest distance of two rows counts, and from which distance on it is a pause.
_WEIGHT = 0.02
_PAUSE_SECONDS = 0.1

Row = TypeVar("Row")
Answer = TypeVar("Answer")


class Coalescer(Generic[Row, Answer]):
    """Hands rows to `answer_all` together; for one event loop.

    A row that comes while nothing is asked goes out at once, with those that arrived in the
    same turn of the loop: alone it waits for nobody. While a batch is under way others
    gather. Where rows come less than `gather_seconds` apart, a batch of few rows waits that long
    for others: at 1,000 requests a second that took a fifth of the CPU away. An error of
    `answer_all` is that of all its rows.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[Row]], Awaitable[Sequence[Answer]]],
        *,
        most_rows: int,
        gather_seconds: float = 0.0,
        on_batch: Callable[[int], None] = lambda rows: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answer_all = answer_all
        self._most_rows = most_rows
        self._gather_seconds = gather_seconds
        self._monotonic = monotonic
        self._came = float("-inf")
        self._apart = float("inf")
        self._on_batch = on_batch
        self._waiting: list[tuple[Row, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def answer(self, row: Row) -> Answer:
        """The answer to one row."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._measure(self._monotonic())
        self._waiting.append((row, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                if len(self._waiting) < _FEW_ROWS and self._apart < self._gather_seconds:
                    await asyncio.sleep(self._gather_seconds)
                batch = self._waiting[: self._most_rows]
                del self._waiting[: self._most_rows]
                await self._settle(batch)
        finally:
            self._running = None

    def _measure(self, now: float) -> None:
        """The seconds between rows, as a mean that forgets; a pause is forgotten at once."""
        apart, self._came = now - self._came, now
        if self._apart > _PAUSE_SECONDS or apart > _PAUSE_SECONDS:
            self._apart = apart
        else:
            self._apart += _WEIGHT * (apart - self._apart)

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
