"""redis-py's clients, for what is asked rarely; they fail soon and say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, cast

from redis import Redis, RedisCluster, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.redis_address import (
    CONNECT_TIMEOUT_SECONDS,
    READ_TIMEOUT_SECONDS,
    Part,
    is_cluster,
    plain_url,
)

# One retry at once: a connection that a restarted server has dropped is replaced, and a
# server that is down is reported in time for the caller's own deadline.
_RETRIES = 1


class Pipeline(Protocol):
    """Commands that go out together and whose answers come back together, in order."""

    def execute_command(self, *parts: Part) -> Any: ...

    def execute(self) -> list[Any]: ...


class RedisClient(Protocol):
    """What is used of a client; its keys are bytes, which redis-py's own types leave out."""

    def execute_command(self, *parts: Part) -> Any: ...

    def pipeline(self, transaction: bool) -> AbstractContextManager[Pipeline]: ...

    def scan_iter(self, match: bytes, count: int) -> Iterator[bytes]: ...


def connect(url: str) -> RedisClient:
    """A client for what `redis_address` describes; it connects when first used.

    That of a cluster connects at once.

    Raises:
        StoreUnavailableError: `url` is not such an address, or the cluster does not answer.
    """
    kind = RedisCluster if is_cluster(url) else Redis
    retry = Retry(NoBackoff(), _RETRIES)
    with redis_errors(url):
        try:
            client = kind.from_url(
                plain_url(url),
                retry=retry,
                socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
                socket_timeout=READ_TIMEOUT_SECONDS,
            )
        except ValueError as error:
            raise StoreUnavailableError.bad_url(url, error) from error
    return cast(RedisClient, client)


@contextmanager
def redis_errors(url: str) -> Iterator[None]:
    """Turns what Redis or the network raises into a `StoreUnavailableError`."""
    try:
        yield
    except (RedisError, OSError) as error:
        if isinstance(error, NoPermissionError) or str(error).startswith("NOPERM"):
            raise StoreUnavailableError.not_permitted(url, error) from error
        raise StoreUnavailableError.redis(url, error) from error
