"""Topics as Redis Streams: one stream a partition, in one Redis.

    <topic>:partitions             how many there are
    <topic>:<p>                    the records of a partition; each an entry with one field, r
    <topic>:groups                 the names of the groups
    <topic>:<group>:members        when each reader was there last, in milliseconds
    <topic>:<group>:owner:<p>      the reader that the partition is, for some seconds
    <topic>:<group>:positions      for each partition "<entry>/<how many entries were kept so far>"

Positions and outgoing records are kept by one script, together or not at all, and by the owner
only. What all groups have kept is removed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import uuid4

from redis.exceptions import RedisError, ResponseError

from lockstep.stores.errors import without_password
from lockstep.stores.redis_address import READ_TIMEOUT_SECONDS, Part, RedisAddress
from lockstep.stores.redis_servers import RedisServers
from lockstep.stores.redis_wire import Reply, packed
from lockstep.stream.errors import LostPartitionError, StreamError
from lockstep.stream.port import Outgoing, Owner, Position, Records

# A reader that was not seen for so long has ended; its partitions are free.
LEASE_SECONDS = 6.0
_RENEWALS_A_LEASE = 4
_FIRST = "0-0/0"
_AT_ONCE = 2_000

# Renews the reader's leases, gives back more than its share, takes what is free up to it; answers
# with the partitions, the new ones as minus the number and one more.
_CLAIM = b"""
local topic, group, me = ARGV[1], ARGV[2], ARGV[3]
local count, lease = tonumber(ARGV[4]), tonumber(ARGV[5])
local at = redis.call('TIME')
local now = at[1] * 1000 + math.floor(at[2] / 1000)
local prefix = topic .. ':' .. group
redis.call('ZADD', prefix .. ':members', now, me)
redis.call('ZREMRANGEBYSCORE', prefix .. ':members', '-inf', now - lease)
local share = math.ceil(count / redis.call('ZCARD', prefix .. ':members'))
local own, free = {}, {}
for p = 0, count - 1 do
  local owner = redis.call('GET', prefix .. ':owner:' .. p)
  if owner == me then own[#own + 1] = p elseif not owner then free[#free + 1] = p end
end
while #own > share do redis.call('DEL', prefix .. ':owner:' .. table.remove(own)) end
local new = math.min(share - #own, #free)
for _, p in ipairs(own) do redis.call('PEXPIRE', prefix .. ':owner:' .. p, lease) end
for i = 1, new do
  redis.call('SET', prefix .. ':owner:' .. free[i], me, 'PX', lease)
  own[#own + 1] = -free[i] - 1
end
return own
"""

_LEAVE = b"""
local prefix = ARGV[1] .. ':' .. ARGV[2]
redis.call('ZREM', prefix .. ':members', ARGV[3])
for p = 0, tonumber(ARGV[4]) - 1 do
  local key = prefix .. ':owner:' .. p
  if redis.call('GET', key) == ARGV[3] then redis.call('DEL', key) end
end
return 1
"""

# topic, group, reader, how many positions; then partition and position of each; then, for each
# outgoing record, its stream and its payload. What was kept already is not kept again: who had no
# answer asks once more.
_KEEP = b"""
local topic, group, me, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local prefix = topic .. ':' .. group
for i = 5, 3 + 2 * count, 2 do
  if redis.call('GET', prefix .. ':owner:' .. ARGV[i]) ~= me then return tonumber(ARGV[i]) end
end
local news = count == 0
for i = 5, 3 + 2 * count, 2 do
  if redis.call('HGET', prefix .. ':positions', ARGV[i]) ~= ARGV[i + 1] then news = true end
end
if not news then return -1 end
for i = 5, 3 + 2 * count, 2 do
  redis.call('HSET', prefix .. ':positions', ARGV[i], ARGV[i + 1])
end
for i = 5 + 2 * count, #ARGV, 2 do
  redis.call('XADD', ARGV[i], '*', 'r', ARGV[i + 1])
end
local function parts(position)
  local ms, seq = string.match(position, '^(%d+)-(%d+)')
  return tonumber(ms), tonumber(seq), ms .. '-' .. seq
end
local groups = redis.call('SMEMBERS', topic .. ':groups')
for i = 5, 3 + 2 * count, 2 do
  local least_ms, least_seq, least
  for _, other in ipairs(groups) do
    local position = redis.call('HGET', topic .. ':' .. other .. ':positions', ARGV[i])
    if not position then least = nil break end
    local ms, seq, id = parts(position)
    if not least or ms < least_ms or (ms == least_ms and seq < least_seq) then
      least_ms, least_seq, least = ms, seq, id
    end
  end
  if least then redis.call('XTRIM', topic .. ':' .. ARGV[i], 'MINID', '~', least) end
end
return -1
"""


class RedisStreams:
    """The topics of one Redis."""

    def __init__(self, url: str) -> None:
        self._address = RedisAddress.of(url)
        if self._address.is_cluster:
            raise StreamError.cluster(without_password(url))
        self._where = without_password(url)
        self._servers = RedisServers(self._address)
        self._counts: dict[str, int] = {}

    def create(self, topic: str, partitions: int) -> int:
        """See `Streams`."""
        self.ask(packed("SET", f"{topic}:partitions", partitions, "NX"))
        return self.count(topic)

    def send(self, outgoing: Iterable[Outgoing]) -> None:
        """See `Streams`."""
        for out in outgoing:
            self.count(out.topic)
            added = zip(_streams(out), out.payloads, strict=True)
            commands = [packed("XADD", stream, "*", "r", payload) for stream, payload in added]
            for start in range(0, len(commands), _AT_ONCE):
                self.ask(*commands[start : start + _AT_ONCE])

    def reader(self, topic: str, group: str, owner: Owner) -> RedisReader:
        """See `Streams`."""
        count = self.count(topic)
        self.ask(packed("SADD", f"{topic}:groups", group))
        return RedisReader(self, topic, group, owner, count)

    def close(self) -> None:
        """See `Streams`."""
        self._servers.close()

    def count(self, topic: str) -> int:
        """How many partitions a topic has.

        Raises:
            StreamError: there is no such topic.
        """
        if topic not in self._counts:
            (found,) = self.ask(packed("GET", f"{topic}:partitions"))
            if found is None:
                raise StreamError.no_topic(self._where, topic)
            self._counts[topic] = int(found)
        return self._counts[topic]

    def ask(self, *commands: bytes) -> Sequence[Reply]:
        """The replies.

        Raises:
            StreamError: Redis does not answer, or refuses.
        """
        with self._errors():
            return self._servers.ask([b""] * len(commands), commands)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise StreamError.unreachable(self._where, error) from error


class RedisReader:
    """A member of a group; see `StreamReader`."""

    def __init__(
        self, streams: RedisStreams, topic: str, group: str, owner: Owner, count: int
    ) -> None:
        self._streams, self._topic, self._group = streams, topic, group
        self._owner, self._count = owner, count
        self._name = uuid4().hex
        self._positions: dict[int, Position] = {}
        self._renewed = float("-inf")

    def poll(self, most: int, wait_seconds: float) -> list[Records]:
        """See `StreamReader`."""
        self._claim()
        if not self._positions:
            time.sleep(min(wait_seconds, LEASE_SECONDS / _RENEWALS_A_LEASE))
            return []
        own = sorted(self._positions)
        each = max(1, most // len(own))
        wait_ms = max(1, int(1_000 * min(wait_seconds, READ_TIMEOUT_SECONDS / 2)))
        streams: list[Part] = [f"{self._topic}:{p}" for p in own]
        after: list[Part] = [_entry(self._positions[p]) for p in own]
        command = packed("XREAD", "COUNT", each, "BLOCK", wait_ms, "STREAMS", *streams, *after)
        (reply,) = self._streams.ask(command)
        return [self._records(name, entries) for name, entries in reply or []]

    def keep(self, positions: Mapping[int, Position], outgoing: Iterable[Outgoing] = ()) -> None:
        """See `StreamReader`."""
        told: list[Part] = [self._topic, self._group, self._name, len(positions)]
        for partition, position in positions.items():
            told += [partition, position]
        for out in outgoing:
            self._streams.count(out.topic)
            for stream, payload in zip(_streams(out), out.payloads, strict=True):
                told += [stream, payload]
        (lost,) = self._streams.ask(packed("EVAL", _KEEP, 0, *told))
        if lost >= 0:
            # What was read since is read again, by whoever has it.
            self._take(sorted(self._positions))
            self._renewed = float("-inf")
            raise LostPartitionError.of(self._topic, lost)

    def lag(self) -> dict[int, int]:
        """See `StreamReader`."""
        own = sorted(self._positions)
        kept = self._kept(own)
        added = [self._added(partition) for partition in own]
        return {p: all_ - _read(kept[p]) for p, all_ in zip(own, added, strict=True)}

    def close(self) -> None:
        """See `StreamReader`."""
        self._take(sorted(self._positions))
        self._streams.ask(
            packed("EVAL", _LEAVE, 0, self._topic, self._group, self._name, self._count)
        )

    def _claim(self) -> None:
        """Renews what it owns, and learns what that is."""
        if time.monotonic() < self._renewed + LEASE_SECONDS / _RENEWALS_A_LEASE:
            return
        lease_ms = int(1_000 * LEASE_SECONDS)
        (own,) = self._streams.ask(
            packed("EVAL", _CLAIM, 0, self._topic, self._group, self._name, self._count, lease_ms)
        )
        self._renewed = time.monotonic()
        new = [-1 - p for p in own if p < 0]
        # Of one whose lease had run out another may have kept more in between.
        self._take([p for p in self._positions if p not in own])
        if new:
            kept = self._kept(new)
            told = self._owner.given(new)
            for partition in new:
                position = told.get(partition) or kept[partition]
                self._refuse_gap(partition, position)
                self._positions[partition] = position

    def _take(self, partitions: Sequence[int]) -> None:
        if partitions:
            for partition in partitions:
                del self._positions[partition]
            self._owner.taken(partitions)

    def _kept(self, partitions: Sequence[int]) -> dict[int, Position]:
        if not partitions:
            return {}
        key = f"{self._topic}:{self._group}:positions"
        (held,) = self._streams.ask(packed("HMGET", key, *partitions))
        pairs = zip(partitions, held, strict=True)
        return {p: _FIRST if position is None else position.decode() for p, position in pairs}

    def _refuse_gap(self, partition: int, position: Position) -> None:
        told = self._info(partition)
        if told and told[b"entries-added"] - told[b"length"] > _read(position):
            kept = "" if position == _FIRST else position
            raise StreamError.removed_unread(self._topic, partition, kept)

    def _added(self, partition: int) -> int:
        return int(self._info(partition).get(b"entries-added", 0))

    def _info(self, partition: int) -> dict[bytes, Reply]:
        """What Redis knows of a partition; nothing of one without any record yet."""
        try:
            (told,) = self._streams.ask(packed("XINFO", "STREAM", f"{self._topic}:{partition}"))
        except StreamError as error:
            if isinstance(error.__cause__, ResponseError) and "no such key" in str(error.__cause__):
                return {}
            raise
        return dict(zip(told[::2], told[1::2], strict=True))

    def _records(self, name: bytes, entries: Sequence[Reply]) -> Records:
        partition = int(name.rpartition(b":")[2])
        read = _read(self._positions[partition]) + len(entries)
        position = f"{entries[-1][0].decode()}/{read}"
        self._positions[partition] = position
        return Records(partition, [fields[1] for _, fields in entries], position)


def _streams(out: Outgoing) -> list[bytes]:
    return [f"{out.topic}:{partition}".encode() for partition in out.partitions]


def _entry(position: Position) -> str:
    return (position or _FIRST).partition("/")[0]


def _read(position: Position) -> int:
    return int((position or _FIRST).partition("/")[2])
