"""A challenger scores what the champion has answered, so that both can be compared on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from serving.answers import Asking
from serving.rows import Asked, Scored
from serving.scorer import Scorer

_log = structlog.get_logger(__name__)

_MOST_ROWS = 2_000

OnScored = Callable[[Scorer, Sequence[Asking], Asked, Scored], None]


class Shadows:
    """Scores in the background; rows that are too many for that are skipped.

    `on_scored` gets what a challenger said, `on_skipped` how many rows it was not asked about.
    """

    def __init__(self, on_scored: OnScored, on_skipped: Callable[[int], None]) -> None:
        self._on_scored = on_scored
        self._on_skipped = on_skipped
        self._rows: dict[asyncio.Task[None], int] = {}

    def score(self, challenger: Scorer, askings: Sequence[Asking], asked: Asked) -> None:
        """Begins to score rows that are answered already; not too many at a time."""
        waiting = sum(self._rows.values())
        if waiting and waiting + len(askings) > _MOST_ROWS:
            self._on_skipped(len(askings))
            return
        shadow = asyncio.create_task(self._scored(challenger, askings, asked))
        self._rows[shadow] = len(askings)
        shadow.add_done_callback(self._rows.pop)

    def close(self) -> None:
        """Ends those that run."""
        for shadow in self._rows:
            shadow.cancel()

    async def _scored(self, challenger: Scorer, askings: Sequence[Asking], asked: Asked) -> None:
        try:
            scored = await challenger.score(asked)
        except Exception as error:  # noqa: BLE001  nobody waits for it, and the answer is out
            _log.warning("challenger not scored", why=f"{type(error).__name__}: {error}")
            return
        self._on_scored(challenger, askings, asked, scored)
