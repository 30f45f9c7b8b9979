"""The same for asyncio: one connection a server, shared by all tasks of an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import cast

from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from lockstep.stores.redis_address import (
    CONNECT_TIMEOUT_SECONDS,
    READ_TIMEOUT_SECONDS,
    RedisAddress,
)
from lockstep.stores.redis_servers import Batch
from lockstep.stores.redis_slots import ASK_SLOTS, ATTEMPTS, PAUSE_SECONDS, SlotMap, is_moving
from lockstep.stores.redis_wire import (
    MORE_TO_COME,
    Reply,
    checked,
    packed,
    reply_reader,
)

# A round of the loop that reads what has come.
_GRACE_SECONDS = 0.01


class _Question:
    """Replies that are waited for, in the order in which the commands went out."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.replies: list[Reply] = []
        self.answer: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()


class AsyncWire(asyncio.Protocol):
    """One connection. Tasks need not wait for each other: Redis answers in order."""

    def __init__(self) -> None:
        self._reader = reply_reader()
        self._waiting: deque[_Question] = deque()
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, data: bytes, count: int) -> asyncio.Future[list[Reply]]:
        """The next `count` replies, those that are errors among them."""
        question = _Question(count)
        if not count:
            question.answer.set_result([])
            return question.answer
        if self._transport is None:
            question.answer.set_exception(ConnectionResetError("there is no connection yet"))
            return question.answer
        self._waiting.append(question)
        self._transport.write(data)
        return question.answer

    def close(self) -> None:
        """Ends the connection; whoever waits is told."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not checked: uvloop, on which uvicorn serves, has transports of a class of its own.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        for reply in iter(self._reader.gets, MORE_TO_COME):
            question = self._waiting[0]
            question.replies.append(reply)
            question.left -= 1
            if not question.left:
                self._waiting.popleft()
                if not question.answer.done():
                    question.answer.set_result(question.replies)

    def connection_lost(self, exc: Exception | None) -> None:
        for question in self._waiting:
            if not question.answer.done():
                error = ConnectionResetError("the connection was closed")
                question.answer.set_exception(exc or error)
        self._waiting.clear()


class AsyncRedisNode:
    """One server, for one event loop; connects when first asked, and again after."""

    def __init__(self, address: RedisAddress, *, timeout_seconds: float) -> None:
        self._address = address
        self._timeout = timeout_seconds
        self._wire: AsyncWire | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, commands: Sequence[bytes]) -> Sequence[Reply]:
        """The replies to commands that may be sent twice: a dropped connection is replaced.

        Raises:
            ResponseError: Redis refuses one.
            RedisError, OSError: it does not answer, or not in time.
        """
        data = b"".join(commands)
        try:
            return checked(await self._ask(data, len(commands)))
        except ConnectionError:
            return checked(await self._ask(data, len(commands)))

    def close(self) -> None:
        """Ends the connection."""
        if self._wire is not None:
            self._wire.close()

    async def _ask(self, data: bytes, count: int) -> list[Reply]:
        wire = self._wire
        if wire is None or not wire.is_open:
            wire = await self._connect()
        answer = wire.ask(data, count)
        loop = asyncio.get_running_loop()
        overdue = loop.call_later(self._timeout, self._look_again, wire, answer)
        try:
            return await answer
        finally:
            overdue.cancel()

    def _look_again(self, wire: AsyncWire, answer: asyncio.Future[list[Reply]]) -> None:
        """Perhaps the loop itself was busy: what came meanwhile is read before it is given up."""
        if not answer.done():
            asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._give_up, wire, answer)

    def _give_up(self, wire: AsyncWire, answer: asyncio.Future[list[Reply]]) -> None:
        if not answer.done():
            answer.set_exception(RedisTimeoutError(f"Timeout: no answer in {self._timeout} s"))
            # Whatever is wrong with it: nobody else is to wait on this connection.
            wire.close()

    async def _connect(self) -> AsyncWire:
        async with self._connecting:
            if self._wire is None or not self._wire.is_open:
                async with asyncio.timeout(max(CONNECT_TIMEOUT_SECONDS, self._timeout)):
                    self._wire = await _greeted(self._address)
            return self._wire


class AsyncRedisServers:
    """One Redis, or the masters of a cluster, asked by key; for one event loop."""

    def __init__(
        self, address: RedisAddress, *, timeout_seconds: float = READ_TIMEOUT_SECONDS
    ) -> None:
        self._address = address
        self._timeout = timeout_seconds
        self._seed = AsyncRedisNode(address, timeout_seconds=timeout_seconds)
        self._slots: SlotMap | None = None
        self._masters: list[AsyncRedisNode] = []

    async def ask(self, keys: Sequence[bytes], commands: Sequence[bytes]) -> Sequence[Reply]:
        """The replies in the order of `commands`, each to the key at its place in `keys`.

        Raises:
            ResponseError: Redis refuses one.
            RedisError, OSError: it does not answer, or not in time.
        """
        if not self._address.is_cluster:
            return await self._seed.ask(commands)
        for attempt in range(ATTEMPTS):
            try:
                return await self._ask_masters(await self._map(), keys, commands)
            except (ResponseError, ConnectionError) as error:
                if not is_moving(error) or attempt == ATTEMPTS - 1:
                    raise
                await self.close()
                self._slots = None
                await asyncio.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("the last attempt returns or raises")

    async def ask_in_turn(self, batches: Iterable[Batch]) -> AsyncIterator[Sequence[Reply]]:
        """The replies to each batch; on one server all are sent before the first is waited for.

        Raises:
            ResponseError, RedisError, OSError: as `ask`.
        """
        if self._address.is_cluster:
            for keys, commands in batches:
                yield await self.ask(keys(), commands)
            return
        commands_of = [commands for _, commands in batches]
        asked = [asyncio.ensure_future(self._seed.ask(commands)) for commands in commands_of[1:]]
        try:
            for commands in commands_of[:1]:
                yield await self._seed.ask(commands)
            for question in asked:
                yield await question
        finally:
            for question in asked:
                question.cancel()
            # Nearly all have one batch only: nothing is to be waited for.
            if asked:
                await asyncio.gather(*asked, return_exceptions=True)

    async def ping(self) -> None:
        """Returns when Redis answers (of a cluster the node that the address names).

        Raises:
            RedisError, OSError: it does not.
        """
        await self._seed.ask([packed("PING")])

    async def close(self) -> None:
        """Ends the connections."""
        for node in (self._seed, *self._masters):
            node.close()
        # A transport is gone in the loop's next round.
        await asyncio.sleep(0)

    async def _ask_masters(
        self, slots: SlotMap, keys: Sequence[bytes], commands: Sequence[bytes]
    ) -> Sequence[Reply]:
        groups = slots.by_master(keys)
        answers = await asyncio.gather(
            *(
                self._masters[master].ask([commands[position] for position in positions])
                for master, positions in groups.items()
            )
        )
        replies: list[Reply] = [None] * len(commands)
        for positions, part in zip(groups.values(), answers, strict=True):
            for position, answer in zip(positions, part, strict=True):
                replies[position] = answer
        return replies

    async def _map(self) -> SlotMap:
        if self._slots is None:
            (reply,) = await self._seed.ask([ASK_SLOTS])
            self._slots = SlotMap.of(reply, self._address)
            self._masters = [
                AsyncRedisNode(master, timeout_seconds=self._timeout)
                for master in self._slots.masters
            ]
        return self._slots


async def _greeted(address: RedisAddress) -> AsyncWire:
    loop = asyncio.get_running_loop()
    if address.path:
        _, wire = await loop.create_unix_connection(AsyncWire, address.path)
    else:
        _, wire = await loop.create_connection(
            AsyncWire, address.host, address.port, ssl=address.tls
        )
    greeting = [packed(*command) for command in address.greeting]
    try:
        checked(await wire.ask(b"".join(greeting), len(greeting)))
    except BaseException:  # also when cancelled: nobody else can close it
        wire.close()
        raise
    return wire
