"""Where Redis is, taken from one address.

redis://user:password@host:6379/0
rediss://host:6380/0?ssl_ca_certs=/etc/redis/ca.pem      TLS
redis+cluster://host:6379, rediss+cluster://host:6380    any node of a Redis Cluster
unix:///run/redis.sock
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from redis.connection import parse_url

from lockstep.stores.errors import StoreUnavailableError

_CLUSTER = "+cluster://"
_DEFAULT_PORT = 6379

CONNECT_TIMEOUT_SECONDS = 2.0
READ_TIMEOUT_SECONDS = 5.0

Part = bytes | str | int


@dataclass(frozen=True)
class RedisAddress:
    """One server, or the node through which a cluster is found. `url` is for messages."""

    url: str
    host: str = "localhost"
    port: int = _DEFAULT_PORT
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    is_cluster: bool = False

    @classmethod
    def of(cls, url: str) -> RedisAddress:
        """The address that `url` names.

        Raises:
            StoreUnavailableError: it names none, or its certificates cannot be read.
        """
        try:
            options = parse_url(plain_url(url))  # type: ignore[no-untyped-call]  # redis-py: no types
            tls = _tls(options) if url.startswith("rediss") else None
        except (ValueError, OSError) as error:
            raise StoreUnavailableError.bad_url(url, error) from error
        own = {"host", "port", "path", "db", "username", "password"}
        known = {name: value for name, value in options.items() if name in own}
        return cls(url, tls=tls, is_cluster=is_cluster(url), **known)

    def node(self, host: str, port: int) -> RedisAddress:
        """Another node of the same cluster."""
        return replace(self, host=host or self.host, port=port)

    @property
    def greeting(self) -> list[tuple[Part, ...]]:
        """The commands that a new connection begins with."""
        commands: list[tuple[Part, ...]] = []
        if self.password is not None:
            commands.append(("AUTH", self.username or "default", self.password))
        if self.db:
            commands.append(("SELECT", self.db))
        return commands


def is_cluster(url: str) -> bool:
    """Whether the address is that of a Redis Cluster."""
    return _CLUSTER in url


def plain_url(url: str) -> str:
    """The address as redis-py knows it.

    >>> plain_url("rediss+cluster://cache:6380")
    'rediss://cache:6380'
    """
    return url.replace(_CLUSTER, "://", 1)


def _tls(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context
