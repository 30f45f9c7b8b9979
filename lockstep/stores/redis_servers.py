"""One Redis, or the masters of a cluster, asked by key; for threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack

from redis.exceptions import ResponseError

from lockstep.stores.redis_address import READ_TIMEOUT_SECONDS, RedisAddress
from lockstep.stores.redis_slots import (
    ASK_SLOTS,
    ATTEMPTS,
    PAUSE_SECONDS,
    SlotMap,
    is_moving,
)
from lockstep.stores.redis_wire import RedisNode, Reply, Wire, checked, packed

# Commands, and what makes the keys that they are for, which only a cluster needs.
Batch = tuple[Callable[[], Sequence[bytes]], Sequence[bytes]]


class RedisServers:
    """Commands by key to whoever holds it. Connects when first asked, and again after."""

    def __init__(
        self, address: RedisAddress, *, timeout_seconds: float = READ_TIMEOUT_SECONDS
    ) -> None:
        self.address = address
        self._timeout = timeout_seconds
        self._seed = RedisNode(address, timeout_seconds=timeout_seconds)
        self._slots: SlotMap | None = None
        self._masters: list[RedisNode] = []

    def ask(self, keys: Sequence[bytes], commands: Sequence[bytes]) -> Sequence[Reply]:
        """The replies in the order of `commands`, each to the key at its place in `keys`.

        In a cluster, which may be moving keys, the commands may be sent twice.

        Raises:
            ResponseError: Redis refuses one.
            RedisError, OSError: it does not answer, or not in time.
        """
        if self.address.is_cluster:
            return self._ask_cluster(keys, commands)
        (replies,) = self.ask_in_turn([(lambda: keys, commands)])
        return replies

    def ask_in_turn(self, batches: Iterable[Batch]) -> Iterator[Sequence[Reply]]:
        """The replies to each batch; all are sent before the first is waited for.

        Redis works on the first while the others are made, and on the last while the
        replies to the first are read. One timeout for all.

        Raises:
            ResponseError, RedisError, OSError: as `ask`.
        """
        if self.address.is_cluster:
            for keys, commands in batches:
                yield self.ask(keys(), commands)
            return
        with self.wire() as wire:
            counts, deadline = [], wire.deadline()
            for _, commands in batches:
                wire.send(b"".join(commands))
                counts.append(len(commands))
            for count in counts:
                yield checked(wire.receive(count, deadline=deadline))

    def ask_each(self, command: bytes) -> list[Reply]:
        """The reply of every master, or of the one server.

        Raises:
            ResponseError, RedisError, OSError: as `ask`.
        """
        return [_asked(node, command) for node in self._nodes()]

    def scan(self, pattern: bytes, *, count: int) -> Iterator[list[bytes]]:
        """The keys that match, about `count` at a time; some may come twice, as SCAN has it.

        Raises:
            ResponseError, RedisError, OSError: as `ask`.
        """
        for node in self._nodes():
            cursor = None
            while cursor != b"0":
                command = packed("SCAN", cursor or 0, "MATCH", pattern, "COUNT", count)
                cursor, keys = _asked(node, command)
                yield keys

    def wire(self) -> AbstractContextManager[Wire]:
        """A connection of one's own to the one server that there is."""
        return self._seed.wire()

    def close(self) -> None:
        """Ends the idle connections."""
        for node in (self._seed, *self._masters):
            node.close()

    def _ask_cluster(self, keys: Sequence[bytes], commands: Sequence[bytes]) -> Sequence[Reply]:
        for attempt in range(ATTEMPTS):
            try:
                return self._ask_masters(self._map(), keys, commands)
            except (ResponseError, ConnectionError) as error:
                if not is_moving(error) or attempt == ATTEMPTS - 1:
                    raise
                self._forget()
                time.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("the last attempt returns or raises")

    def _ask_masters(
        self, slots: SlotMap, keys: Sequence[bytes], commands: Sequence[bytes]
    ) -> Sequence[Reply]:
        """Sends to all masters before it waits for any."""
        replies: list[Reply] = [None] * len(commands)
        with ExitStack() as stack:
            sent = []
            for master, positions in slots.by_master(keys).items():
                wire = stack.enter_context(self._masters[master].wire())
                wire.send(b"".join(commands[position] for position in positions))
                sent.append((wire, positions))
            for wire, positions in sent:
                answers = wire.receive(len(positions))
                for position, answer in zip(positions, answers, strict=True):
                    replies[position] = answer
        return checked(replies)

    def _nodes(self) -> list[RedisNode]:
        if not self.address.is_cluster:
            return [self._seed]
        self._map()
        return self._masters

    def _map(self) -> SlotMap:
        if self._slots is None:
            self._slots = SlotMap.of(_asked(self._seed, ASK_SLOTS), self.address)
            self._masters = [
                RedisNode(master, timeout_seconds=self._timeout) for master in self._slots.masters
            ]
        return self._slots

    def _forget(self) -> None:
        self.close()
        self._slots = None


def _asked(node: RedisNode, command: bytes) -> Reply:
    with node.wire() as wire:
        wire.send(command)
        (reply,) = checked(wire.receive(1))
    return reply
