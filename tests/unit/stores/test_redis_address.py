"""One address says where Redis is, whether it is a cluster, and who asks."""

from __future__ import annotations

import pytest

from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.redis_address import RedisAddress


def test_a_server_with_a_user_and_a_database() -> None:
    address = RedisAddress.of("redis://me:p%40ss@cache:6380/3")
    assert (address.host, address.port, address.tls, address.is_cluster) == (
        "cache",
        6380,
        None,
        False,
    )
    assert address.greeting == [("AUTH", "me", "p@ss"), ("SELECT", 3)]


def test_a_server_that_knows_nobody_is_not_greeted() -> None:
    assert RedisAddress.of("redis://cache").greeting == []


def test_a_password_alone_is_the_default_users() -> None:
    assert RedisAddress.of("redis://:secret@cache").greeting == [("AUTH", "default", "secret")]


def test_other_nodes_of_a_cluster_are_spoken_to_alike() -> None:
    seed = RedisAddress.of("rediss+cluster://me:secret@cache:6380")
    node = seed.node("10.0.0.2", 6381)
    assert (node.host, node.port, node.is_cluster) == ("10.0.0.2", 6381, True)
    assert (node.tls, node.greeting) == (seed.tls, seed.greeting)
    assert node.tls is not None
    assert seed.node("", 6382).host == "cache"


def test_a_socket_has_a_path() -> None:
    assert RedisAddress.of("unix:///run/redis.sock").path == "/run/redis.sock"


@pytest.mark.parametrize("url", ["http://cache", "cache:6379", "redis://cache:port"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="is not the address of a Redis"):
        RedisAddress.of(url)
