"""Which node of a Redis Cluster holds which keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ResponseError

from lockstep.stores.redis_address import RedisAddress
from lockstep.stores.redis_wire import packed

ASK_SLOTS = packed("CLUSTER", "SLOTS")
ATTEMPTS = 6
PAUSE_SECONDS = 0.05

_MOVED = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING")


@dataclass(frozen=True)
class SlotMap:
    """The masters of a cluster, and for each slot the position of its own in them."""

    masters: tuple[RedisAddress, ...]
    owners: tuple[int | None, ...]

    @classmethod
    def of(cls, reply: Sequence[Any], seed: RedisAddress) -> SlotMap:
        """The map from the answer to CLUSTER SLOTS; a node without a host has the seed's."""
        masters: dict[tuple[str, int], int] = {}
        owners: list[int | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, (host, port, *_), *_ in reply:
            name = host.decode() if host not in (None, b"?") else ""
            position = masters.setdefault((name, port), len(masters))
            owners[first : last + 1] = [position] * (last - first + 1)
        return cls(tuple(seed.node(*master) for master in masters), tuple(owners))

    def by_master(self, keys: Sequence[bytes]) -> dict[int, list[int]]:
        """The positions of `keys` by the master that holds them.

        Raises:
            ResponseError: nobody holds one of them.
        """
        groups: dict[int, list[int]] = {}
        for position, key in enumerate(keys):
            owner = self.owners[key_slot(key)]
            if owner is None:
                raise ResponseError("CLUSTERDOWN no master holds a key's slot")
            groups.setdefault(owner, []).append(position)
        return groups


def is_moving(error: Exception) -> bool:
    """Whether the cluster has changed since its map was read: ask for the map again."""
    return isinstance(error, ConnectionError) or str(error).startswith(_MOVED)
