"""What is Redis's own: leases that run out, records that are removed, addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import uuid4

import pytest
from redis import Redis

from lockstep.stream import redis_streams
from lockstep.stream.errors import LostPartitionError, StreamError
from lockstep.stream.port import Outgoing, Position
from lockstep.stream.redis_streams import RedisStreams


class Owner:
    """Notes what it is told."""

    def __init__(self, begin: Mapping[int, Position] = {}) -> None:
        self.told: list[tuple[str, list[int]]] = []
        self._begin = begin

    def given(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        self.told.append(("given", list(partitions)))
        return self._begin

    def taken(self, partitions: Sequence[int]) -> None:
        self.told.append(("taken", list(partitions)))


@pytest.fixture
def streams(redis_server: str) -> Iterator[RedisStreams]:
    found = RedisStreams(redis_server)
    yield found
    found.close()


@pytest.fixture
def topic(streams: RedisStreams) -> str:
    name = f"t{uuid4().hex}"
    streams.create(name, 1)
    return name


def ten(topic: str) -> Outgoing:
    return Outgoing(topic, [0] * 10, [b"%d" % n for n in range(10)])


def test_a_reader_that_stalled_loses_its_partition_and_reads_again_what_it_had_not_kept(
    streams: RedisStreams, topic: str, redis_server: str
) -> None:
    streams.send([ten(topic)])
    stalled, other = Owner(), Owner()
    slow = streams.reader(topic, "g", stalled)
    (read,) = slow.poll(4, 1.0)
    # It stalls: the lease runs out, somebody else reads on and keeps it.
    with Redis.from_url(redis_server) as redis:
        redis.delete(f"{topic}:g:owner:0", f"{topic}:g:members")
    quick = streams.reader(topic, "g", other)
    (more,) = quick.poll(7, 1.0)
    quick.keep({0: more.position})
    with pytest.raises(LostPartitionError):
        slow.keep({0: read.position}, [ten(topic)])
    quick.close()
    (rest,) = slow.poll(100, 1.0)
    assert rest.payloads == [b"7", b"8", b"9"]
    assert stalled.told == [("given", [0]), ("taken", [0]), ("given", [0])]


def test_a_lease_that_ran_out_unnoticed_is_a_new_beginning(
    streams: RedisStreams, topic: str, redis_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else may have had it in between: what was read and not kept does not count."""
    streams.send([ten(topic)])
    owner = Owner()
    reader = streams.reader(topic, "g", owner)
    (read,) = reader.poll(4, 1.0)
    reader.keep({0: read.position})
    reader.poll(3, 1.0)
    with Redis.from_url(redis_server) as redis:
        redis.delete(f"{topic}:g:owner:0")
    monkeypatch.setattr(redis_streams, "_RENEWALS_A_LEASE", 10**9)
    (again,) = reader.poll(100, 1.0)
    assert again.payloads == [b"%d" % n for n in range(4, 10)]
    assert owner.told == [("given", [0]), ("taken", [0]), ("given", [0])]


def test_what_every_group_has_kept_is_removed_and_nothing_else(
    streams: RedisStreams, topic: str, redis_server: str
) -> None:
    many = [b"%d" % n for n in range(1_000)]
    slow, quick = streams.reader(topic, "slow", Owner()), streams.reader(topic, "quick", Owner())
    with Redis.from_url(redis_server) as redis:
        for _ in range(5):
            streams.send([Outgoing(topic, [0] * len(many), many)])
            (read,) = quick.poll(len(many), 1.0)
            quick.keep({0: read.position})
        assert redis.xlen(f"{topic}:0") == 5_000
        (some,) = slow.poll(1_500, 1.0)
        slow.keep({0: some.position})
        # Redis removes whole nodes of a hundred entries.
        assert 3_500 <= redis.xlen(f"{topic}:0") < 3_700
        assert len(slow.poll(10_000, 1.0)[0].payloads) == 3_500


def test_records_that_were_removed_unread_are_never_passed_over_in_silence(
    streams: RedisStreams, topic: str, redis_server: str
) -> None:
    streams.send([ten(topic)])
    reader = streams.reader(topic, "g", Owner())
    (read,) = reader.poll(4, 1.0)
    reader.keep({0: read.position})
    reader.close()
    with Redis.from_url(redis_server) as redis:
        redis.xtrim(f"{topic}:0", maxlen=3, approximate=False)
    with pytest.raises(StreamError, match="were removed before they were read"):
        streams.reader(topic, "g", Owner()).poll(10, 1.0)


def test_what_is_kept_twice_for_want_of_an_answer_came_out_once(
    streams: RedisStreams, topic: str, redis_server: str
) -> None:
    out = f"{topic}-out"
    streams.create(out, 1)
    streams.send([ten(topic)])
    reader = streams.reader(topic, "g", Owner())
    (read,) = reader.poll(4, 1.0)
    for _ in range(2):
        reader.keep({0: read.position}, [Outgoing(out, [0, 0], [b"a", b"b"])])
    with Redis.from_url(redis_server) as redis:
        assert redis.xlen(f"{out}:0") == 2
    (more,) = reader.poll(4, 1.0)
    reader.keep({0: more.position}, [Outgoing(out, [0], [b"c"])])
    with Redis.from_url(redis_server) as redis:
        assert redis.xlen(f"{out}:0") == 3


def test_a_redis_that_is_down_says_so_without_the_password() -> None:
    down = RedisStreams("redis://me:secret@127.0.0.1:1/0")
    with pytest.raises(StreamError, match=r"me:\*\*\*@127.0.0.1:1/0 does not answer"):
        down.create("t", 1)


def test_a_cluster_is_refused() -> None:
    with pytest.raises(StreamError, match="use Kafka"):
        RedisStreams("redis+cluster://127.0.0.1:7000")
