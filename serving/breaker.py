"""Stops asking a store that does not answer, so that requests fail at once instead of waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lockstep.stores.errors import StoreUnavailableError


class CircuitBreaker:
    """After `failures` in a row nothing is asked for `pause_seconds`.

    Then it is asked again, and the first failure begins another pause.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        pause_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = failures
        self._pause = pause_seconds
        self._monotonic = monotonic
        self._failed = 0
        self._open_until = float("-inf")
        self._last: StoreUnavailableError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the next one is refused without being asked."""
        return self._monotonic() < self._open_until

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Around each question to the store.

        Raises:
            StoreUnavailableError: the last one, again, while nothing is asked.
        """
        if self._last is not None and self.is_open:
            # Without the frames of whoever it was said to before: they would pile up on it.
            raise self._last.with_traceback(None)
        try:
            yield
        except StoreUnavailableError as error:
            self._failed += 1
            self._last = error
            if self._failed >= self._most:
                self._open_until = self._monotonic() + self._pause
            raise
        self._failed = 0
