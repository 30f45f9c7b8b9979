"""Rows go into Redis unless it holds newer ones, whoever writes at the same time.

On one server a batch is a transaction: the view's count of writes is watched, what the
hashes hold is compared, and the transaction comes to nothing if somebody wrote to the view
meanwhile. Such a batch, and every row of a Redis Cluster, whose transactions know only one
slot, goes row by row through a script that writes only over what was compared. (To watch
the keys themselves takes Redis a time that grows with their square: 500 at once halved
its speed.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockstep.stores.compiled import versions
from lockstep.stores.guarded_write import bulk_content, bulk_string, guarded_write
from lockstep.stores.redis_layout import created_field, event_field, writes_key
from lockstep.stores.redis_servers import RedisServers
from lockstep.stores.redis_wire import Wire, checked, packed
from lockstep.stores.row_commands import HashWrites
from lockstep.stores.value_bytes import decode_time

# Redis answers nobody else while a transaction runs.
TRANSACTION_ROWS = 500

_EXISTS = b"$6\r\nEXISTS\r\n"
_UNWATCH, _MULTI, _EXEC = packed("UNWATCH"), packed("MULTI"), packed("EXEC")

Answers = Sequence[Sequence[bytes | None]]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_NEVER = -(2**63)


@dataclass(frozen=True)
class WriteCount:
    """Rows written, and rows left out since Redis holds newer ones."""

    written: int = 0
    older: int = 0

    def __add__(self, other: WriteCount) -> WriteCount:
        return WriteCount(self.written + other.written, self.older + other.older)


class RowWriter:
    """Writes rows of one view. A version that Redis holds already is written again."""

    def __init__(
        self, servers: RedisServers, project: str, view: str, *, key_ttl_seconds: int = 0
    ) -> None:
        self._servers = servers
        self._count_key = writes_key(project, view)
        self._times = (event_field(view), created_field(view))
        self._key_ttl = key_ttl_seconds

    def write(self, batches: Iterable[HashWrites]) -> Iterator[WriteCount]:
        """What became of the rows, some at a time, once they are written.

        Raises:
            RedisError, OSError: Redis does not answer, or refuses. Batches that were
                counted are written, the others in part or not at all.
        """
        parts = (
            rows.some(start, start + TRANSACTION_ROWS)
            for rows in batches
            for start in range(0, len(rows), TRANSACTION_ROWS)
        )
        if self._servers.address.is_cluster:
            yield from map(self._one_by_one, parts)
            return
        with self._servers.wire() as wire:
            yield from self._transactions(wire, parts)

    def _transactions(self, wire: Wire, batches: Iterable[HashWrites]) -> Iterator[WriteCount]:
        """The next batch is made and looked up while Redis is still busy with the last."""
        running: _Transaction | None = None
        for rows in batches:
            look = packed("WATCH", self._count_key) + _exist(rows)
            wire.send(look)
            is_done = running is None or self._is_done(wire, running)
            _, known = checked(wire.receive(2))
            if running:
                yield self._count(running, is_done)
            if not is_done:
                # What was written meanwhile is no reason for this batch to fail as well.
                wire.send(_UNWATCH + look)
                *_, known = checked(wire.receive(3))
            held = self._held_in(wire, rows) if known else None
            running = _Transaction.of(rows, held, self._count_key, self._key_ttl)
            wire.send(running.commands)
        if running:
            yield self._count(running, self._is_done(wire, running))

    def _is_done(self, wire: Wire, transaction: _Transaction) -> bool:
        """Whether nobody wrote to the view between the look and the transaction."""
        *_, outcome = checked(wire.receive(transaction.replies))
        if isinstance(outcome, list):
            checked(outcome)
        return outcome is not None

    def _count(self, transaction: _Transaction, is_done: bool) -> WriteCount:
        """What became of a batch, which goes row by row where its transaction did nothing."""
        older = WriteCount(0, transaction.older)
        if is_done:
            return older + WriteCount(len(transaction.current))
        return older + self._one_by_one(transaction.rows, transaction.current)

    def _held_in(self, wire: Wire, rows: HashWrites) -> Answers:
        wire.send(b"".join(self._ask_held(rows, range(len(rows)))))
        return checked(wire.receive(len(rows)))

    def _one_by_one(self, rows: HashWrites, positions: Sequence[int] | None = None) -> WriteCount:
        """Each row over exactly what it was compared with; again where that has changed."""
        left = list(range(len(rows)) if positions is None else positions)
        count = WriteCount()
        while left:
            keys = [bulk_content(rows.key(row)) for row in left]
            held = self._servers.ask(keys, self._ask_held(rows, left))
            current = np.flatnonzero(~_is_older(rows, left, held)).tolist()
            commands = [
                self._write_over(keys[at], rows.command(left[at]), held[at]) for at in current
            ]
            done = self._servers.ask([keys[at] for at in current], commands)
            count += WriteCount(sum(done), len(left) - len(current))
            left = [left[at] for at, is_done in zip(current, done, strict=True) if not is_done]
        return count

    def _ask_held(self, rows: HashWrites, positions: Iterable[int]) -> list[bytes]:
        fields = b"".join(map(bulk_string, self._times))
        return [b"*4\r\n$5\r\nHMGET\r\n" + rows.key(row) + fields for row in positions]

    def _write_over(self, key: bytes, command: bytes, held: Sequence[bytes | None]) -> bytes:
        head, _, rest = command.partition(b"HSET\r\n")
        pairs = rest[len(bulk_string(key)) :]
        count = int(head[1 : head.index(b"\r")]) - 2
        seen = dict(zip(self._times, held, strict=True))
        keys = [key] if self._servers.address.is_cluster else [key, self._count_key]
        return guarded_write(keys, seen, pairs, count=count, key_ttl=self._key_ttl)


def made_ahead(batches: Iterable[HashWrites]) -> Iterator[HashWrites]:
    """The batches, of which the next is made while this one is written."""
    with ThreadPoolExecutor(1) as thread:
        making = iter(batches)
        coming = thread.submit(next, making, None)
        while (rows := coming.result()) is not None:
            coming = thread.submit(next, making, None)
            yield rows


@dataclass(frozen=True)
class _Transaction:
    """The rows of a batch that are not older than what Redis holds, and their commands."""

    rows: HashWrites
    current: Sequence[int]
    older: int
    commands: bytes
    replies: int

    @classmethod
    def of(
        cls, rows: HashWrites, held: Answers | None, count_key: bytes, key_ttl: int
    ) -> _Transaction:
        current = list(range(len(rows)))
        if held is not None:
            current = np.flatnonzero(~_is_older(rows, current, held)).tolist()
        older = len(rows) - len(current)
        if not current:
            return cls(rows, current, older, _UNWATCH, 1)
        sets = rows.commands if not older else b"".join(rows.command(row) for row in current)
        expires = [_expire(rows.key(row), key_ttl) for row in current] if key_ttl else []
        commands = b"".join([_MULTI, packed("INCR", count_key), sets, *expires, _EXEC])
        return cls(rows, current, older, commands, 3 + len(current) + len(expires))


def _is_older(rows: HashWrites, positions: Sequence[int], held: Answers) -> Bools:
    """Which rows are older than what is held; Feast's own rows have no created time."""
    event, created = held_versions(held).T
    own_event, own_created = rows.event_us[positions], rows.created_us[positions]
    is_older: Bools = (own_event < event) | ((own_event == event) & (own_created < created))
    return is_older


def held_versions(held: Answers) -> Ints:
    """(rows, 2): event and created time in microseconds; the lowest number for no row.

    A row without a created time, as Feast writes it, was created at its event.
    """
    times = np.empty((len(held), 2), np.int64)
    for row in versions(held, times):
        event, created = held[row]
        if event is None:
            times[row] = _NEVER
        else:
            event_us = decode_time(event)
            times[row] = event_us, event_us if created is None else decode_time(created)
    return times


def _exist(rows: HashWrites) -> bytes:
    """What asks how many of the rows' keys there are."""
    return b"*%d\r\n%b%b" % (1 + len(rows), _EXISTS, rows.keys)


def _expire(key: bytes, seconds: int) -> bytes:
    return b"*3\r\n$6\r\nEXPIRE\r\n%b$%d\r\n%d\r\n" % (key, len(str(seconds)), seconds)
