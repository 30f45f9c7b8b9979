"""Commands and replies on a socket: sent as they are given, parsed by hiredis.

redis-py handles every reply in Python, one by one; here hiredis hands over all that have come.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from hiredis import Reader, pack_command
from redis.exceptions import InvalidResponse, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from lockstep.stores.redis_address import CONNECT_TIMEOUT_SECONDS, Part, RedisAddress

_CHUNK = 1 << 16
MORE_TO_COME = object()

Reply = Any


def packed(*parts: Part) -> bytes:
    """One command as it goes over the wire.

    >>> packed("GET", b"a")
    b'*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\na\\r\\n'
    """
    return bytes(pack_command(parts))  # type: ignore[arg-type]  # its stub wants one part


def reply_reader() -> Reader:
    """A parser whose `gets` returns MORE_TO_COME, and a reply that is an error as a value."""
    return Reader(
        protocolError=InvalidResponse, replyError=ResponseError, notEnoughData=MORE_TO_COME
    )


def checked(replies: Sequence[Reply]) -> Sequence[Reply]:
    """The replies, if none is an error.

    Raises:
        ResponseError: what Redis refused first.
    """
    if ResponseError in map(type, replies):
        raise next(reply for reply in replies if isinstance(reply, ResponseError))
    return replies


class Wire:
    """One connection, for one thread at a time."""

    def __init__(self, address: RedisAddress, timeout_seconds: float) -> None:
        self._timeout = timeout_seconds
        self._reader = reply_reader()
        self._buffer = bytearray(_CHUNK)
        self._socket = _connected(address)
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)
        try:
            self._greet(address.greeting)
        except BaseException:  # also when interrupted: nobody else can close it
            self.close()
            raise

    def send(self, data: bytes) -> None:
        """Sends commands, one after another."""
        self._socket.settimeout(self._timeout)
        self._socket.sendall(data)

    def receive(self, count: int, *, deadline: float | None = None) -> list[Reply]:
        """The next `count` replies, in order; one that is an error is among them.

        `deadline` is by `time.monotonic`, the default the time out from now.

        Raises:
            TimeoutError (of redis-py): they are not all there in time.
            OSError: the connection has ended.
        """
        until = self.deadline() if deadline is None else deadline
        replies: list[Reply] = []
        while True:
            ready = iter(self._reader.gets, MORE_TO_COME)
            replies.extend(islice(ready, count - len(replies)))
            if len(replies) == count:
                return replies
            self._fill(until)

    def is_stale(self) -> bool:
        """Whether an idle connection has been dropped by the other side."""
        return bool(self._readable.poll(0))

    def deadline(self) -> float:
        """When what is asked now has timed out."""
        return time.monotonic() + self._timeout

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def __del__(self) -> None:
        # Nobody closes Feast's stores.
        if hasattr(self, "_socket"):
            self.close()

    def _greet(self, commands: Sequence[tuple[Part, ...]]) -> None:
        self.send(b"".join(packed(*command) for command in commands))
        checked(self.receive(len(commands)))

    def _fill(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            size = self._socket.recv_into(self._buffer)
        except TimeoutError as error:
            raise RedisTimeoutError(f"Timeout: no answer in {self._timeout} s") from error
        if not size:
            raise ConnectionResetError("the connection was closed")
        self._reader.feed(self._buffer, 0, size)  # type: ignore[arg-type]  # any buffer


class RedisNode:
    """One server and the connections to it that are idle; for any number of threads."""

    def __init__(self, address: RedisAddress, *, timeout_seconds: float) -> None:
        self.address = address
        self._timeout = timeout_seconds
        self._idle: list[Wire] = []

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        """A connection of one's own; it is closed where the block fails."""
        wire = self._idle.pop() if self._idle else None
        if wire is not None and wire.is_stale():
            wire.close()
            self.close()
            wire = None
        wire = wire or Wire(self.address, self._timeout)
        try:
            yield wire
        except BaseException:  # also when interrupted: replies may be on their way
            wire.close()
            raise
        self._idle.append(wire)

    def close(self) -> None:
        """Ends the idle connections."""
        while self._idle:
            self._idle.pop().close()


def _connected(address: RedisAddress) -> socket.socket:
    if address.path:
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        plain.settimeout(CONNECT_TIMEOUT_SECONDS)
        plain.connect(address.path)
        return plain
    target = (address.host, address.port)
    plain = socket.create_connection(target, timeout=CONNECT_TIMEOUT_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if address.tls is None:
        return plain
    return address.tls.wrap_socket(plain, server_hostname=address.host)
