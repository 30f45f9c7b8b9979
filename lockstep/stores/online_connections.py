"""The connections of an online store: made when first asked for, kept by address."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from weakref import WeakKeyDictionary

from lockstep.stores.async_redis_servers import AsyncRedisServers
from lockstep.stores.redis_address import RedisAddress
from lockstep.stores.redis_servers import RedisServers


class OnlineConnections:
    """For any number of threads and event loops."""

    def __init__(self) -> None:
        self._servers: dict[str, RedisServers] = {}
        self._by_loop: WeakKeyDictionary[AbstractEventLoop, dict[str, AsyncRedisServers]] = (
            WeakKeyDictionary()
        )

    def servers(self, url: str) -> RedisServers:
        """What rows go through.

        Raises:
            StoreUnavailableError: `url` is not the address of a Redis.
        """
        if url not in self._servers:
            self._servers[url] = RedisServers(RedisAddress.of(url))
        return self._servers[url]

    def of_loop(self, url: str) -> AsyncRedisServers:
        """The same for the running event loop: connections cannot be used in another.

        Raises:
            StoreUnavailableError: `url` is not the address of a Redis.
        """
        own = self._by_loop.setdefault(asyncio.get_running_loop(), {})
        if url not in own:
            own[url] = AsyncRedisServers(RedisAddress.of(url))
        return own[url]

    async def close(self) -> None:
        """Ends those of threads and of the running event loop."""
        for servers in self._servers.values():
            servers.close()
        for shared in self._by_loop.pop(asyncio.get_running_loop(), {}).values():
            await shared.close()
