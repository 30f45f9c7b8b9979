"""What Redis and the network raise, as an error of the store that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from lockstep.stores.errors import StoreUnavailableError


@contextmanager
def redis_errors(url: str) -> Iterator[None]:
    """Turns what Redis or the network raises into a `StoreUnavailableError`."""
    try:
        yield
    except (RedisError, OSError) as error:
        # hiredis gives a right that is lacking as an error like any other.
        if str(error).startswith("NOPERM"):
            raise StoreUnavailableError.not_permitted(url, error) from error
        raise StoreUnavailableError.redis(url, error) from error
