"""The model that scores now: loaded in the background, tried again until there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from lockstep.contract.registered_model import NoModelError
from lockstep.errors import LockstepError

if TYPE_CHECKING:
    from serving.scorer import Scorer

_log = structlog.get_logger(__name__)


class ModelStore:
    """Holds the scorer of one use case, or why there is none.

    `load` makes a scorer; it may take seconds and runs in a thread.
    """

    def __init__(self, use_case: str, load: Callable[[], Scorer], *, retry_seconds: float) -> None:
        self._use_case = use_case
        self._load = load
        self._retry_seconds = retry_seconds
        self._scorer: Scorer | None = None
        self._why_not: LockstepError = NoModelError.loading(use_case)

    def current(self) -> Scorer:
        """The scorer.

        Raises:
            LockstepError: there is none; the error says why.
        """
        if self._scorer is None:
            raise self._why_not
        return self._scorer

    async def keep_trying(self) -> None:
        """Returns once there is a scorer; each new reason for having none is logged once."""
        while self._scorer is None:
            try:
                self._scorer = await asyncio.to_thread(self._load)
            except LockstepError as error:
                self._note(error)
                await asyncio.sleep(self._retry_seconds)
            except Exception as error:  # noqa: BLE001  whatever a model does, the server stays up
                self._note(NoModelError.failed(self._use_case, error), error)
                await asyncio.sleep(self._retry_seconds)
        served = self._scorer.served
        _log.info("model loaded", use_case=self._use_case, version=served.version)

    async def close(self) -> None:
        """Gives the connections of the scorer back."""
        if self._scorer is not None:
            await self._scorer.reader.close()

    def _note(self, why_not: LockstepError, cause: Exception | None = None) -> None:
        if str(why_not) != str(self._why_not):
            _log.warning("no model", use_case=self._use_case, why=str(why_not), exc_info=cause)
        self._why_not = why_not
