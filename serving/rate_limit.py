"""How often a key may ask: a token bucket for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Container

from lockstep.contract.api_keys import ApiKey

# Of one token: a request that waited exactly as long as it was told may be a rounding short.
_ROUNDING = 1e-6


class RateLimit:
    """Lets through what a key's rate allows, in this process only.

    Of `workers` processes each allows its part of the rate and of the burst, and one request
    at least; connections that are spread unevenly are let through less.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, *, workers: int = 1
    ) -> None:
        self._monotonic = monotonic
        self._workers = workers
        # By id: how many tokens there were, and when (monotonic seconds).
        self._left: dict[str, tuple[float, float]] = {}

    def wait_seconds(self, key: ApiKey) -> float:
        """0.0 where the request may go on, which takes a token; else when to ask again."""
        if key.requests_per_second is None:
            return 0.0
        rate = key.requests_per_second / self._workers
        most = max(1.0, key.burst / self._workers)
        now = self._monotonic()
        left, since = self._left.get(key.id, (most, now))
        tokens = min(most, left + (now - since) * rate)
        if tokens < 1.0 - _ROUNDING:
            return (1.0 - tokens) / rate
        self._left[key.id] = (max(0.0, tokens - 1.0), now)
        return 0.0

    def keep_only(self, ids: Container[str]) -> None:
        """Forgets the keys that are gone, so that memory is bounded by those that are not."""
        self._left = {key_id: left for key_id, left in self._left.items() if key_id in ids}
