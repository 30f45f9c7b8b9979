"""What every keeper of streams does alike: order, groups, positions kept with what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import uuid4

import pytest

from lockstep.stream.errors import LostPartitionError, StreamError
from lockstep.stream.kafka import KafkaStreams
from lockstep.stream.port import Outgoing, Position, StreamReader, Streams
from lockstep.stream.redis_streams import RedisStreams

PATIENCE_SECONDS = 30.0
READERS: list[StreamReader] = []


class Reading:
    """An owner with its reader: what it was given, and what it has read of each partition."""

    def __init__(
        self, streams: Streams, topic: str, group: str = "g", begin: Mapping[int, Position] = {}
    ) -> None:
        self.own: set[int] = set()
        self.read: dict[int, list[bytes]] = {}
        self.positions: dict[int, Position] = {}
        self._begin = begin
        self.reader: StreamReader = streams.reader(topic, group, self)
        READERS.append(self.reader)

    def given(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        assert not self.own & set(partitions)
        self.own |= set(partitions)
        for partition in partitions:
            self.read[partition] = []
        return {p: self._begin[p] for p in partitions if p in self._begin}

    def taken(self, partitions: Sequence[int]) -> None:
        assert set(partitions) <= self.own
        self.own -= set(partitions)
        for partition in partitions:
            self.positions.pop(partition, None)

    def poll(self, most: int = 100, wait: float = 0.2) -> int:
        found = self.reader.poll(most, wait)
        for records in found:
            assert records.partition in self.own
            self.read[records.partition] += records.payloads
            self.positions[records.partition] = records.position
        return sum(len(records.payloads) for records in found)

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, (self.own, self.read)
            self.poll()

    def all(self) -> list[bytes]:
        return sorted(payload for part in self.read.values() for payload in part)


@pytest.fixture(params=["redis", "kafka"])
def streams(request: pytest.FixtureRequest) -> Iterator[Streams]:
    found: Streams
    if request.param == "redis":
        found = RedisStreams(request.getfixturevalue("redis_server"))
    else:
        found = KafkaStreams(request.getfixturevalue("kafka_server"))
    yield found
    while READERS:
        READERS.pop().close()
    found.close()


@pytest.fixture
def topic(streams: Streams) -> str:
    name = f"t{uuid4().hex}"
    assert streams.create(name, 3) == 3
    return name


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [b"%06d" % n for n in range(first, first + count)]


def spread(topic: str, payloads: Sequence[bytes]) -> Outgoing:
    return Outgoing(topic, [int(payload) % 3 for payload in payloads], payloads)


def test_a_partition_is_read_in_the_order_in_which_it_was_written(
    streams: Streams, topic: str
) -> None:
    sent = numbered(5_000)
    streams.send([spread(topic, sent[:2_000]), spread(topic, sent[2_000:])])
    one = Reading(streams, topic)
    one.until(lambda: len(one.all()) == len(sent))
    assert one.own == {0, 1, 2}
    assert one.read == {p: [r for r in sent if int(r) % 3 == p] for p in range(3)}
    assert one.poll() == 0


def test_payloads_are_any_bytes(streams: Streams, topic: str) -> None:
    sent = [b"", bytes(range(256)), b"\r\n$5\r\n", b"x" * 100_000]
    streams.send([Outgoing(topic, [0] * len(sent), sent)])
    one = Reading(streams, topic)
    one.until(lambda: len(one.all()) == len(sent))
    assert one.read[0] == sent


def test_a_poll_never_brings_more_than_was_asked_for(streams: Streams, topic: str) -> None:
    streams.send([spread(topic, numbered(300))])
    one = Reading(streams, topic)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(one.all()) < 300:
        assert time.monotonic() < deadline
        assert one.poll(most=30) <= 30


def test_who_comes_next_goes_on_where_the_group_kept_to_be(streams: Streams, topic: str) -> None:
    streams.send([spread(topic, numbered(60))])
    first = Reading(streams, topic)
    first.until(lambda: len(first.all()) == 60)
    first.reader.keep(first.positions)
    streams.send([spread(topic, numbered(30, 60))])
    first.until(lambda: len(first.all()) == 90)
    first.reader.close()
    assert first.own == set()
    second = Reading(streams, topic)
    second.until(lambda: len(second.all()) == 30)
    assert second.all() == numbered(30, 60)
    other = Reading(streams, topic, "other")
    other.until(lambda: len(other.all()) == 90)


def test_an_owner_may_begin_elsewhere_than_its_group(streams: Streams, topic: str) -> None:
    streams.send([spread(topic, numbered(30))])
    first = Reading(streams, topic)
    first.until(lambda: len(first.all()) == 30)
    begin = dict(first.positions)
    streams.send([spread(topic, numbered(30, 30))])
    first.reader.close()
    second = Reading(streams, topic, begin=begin)
    second.until(lambda: len(second.all()) == 30)
    assert second.all() == numbered(30, 30)


def test_what_came_out_is_kept_with_the_positions_or_not_at_all(
    streams: Streams, topic: str
) -> None:
    out = f"{topic}-out"
    streams.create(out, 1)
    streams.send([spread(topic, numbered(30))])
    first = Reading(streams, topic)
    first.until(lambda: len(first.all()) == 30)
    first.reader.keep(first.positions, [Outgoing(out, [0] * 30, first.all())])
    lost = dict(first.positions)
    first.reader.close()
    # It has no partition any more: what it goes on to say is refused as a whole.
    with pytest.raises(LostPartitionError):
        first.reader.keep(lost, [Outgoing(out, [0], [b"999999"])])
    results = Reading(streams, out)
    results.until(lambda: len(results.all()) == 30)
    assert results.all() == numbered(30)
    assert results.poll() == 0


def test_readers_of_a_group_share_the_partitions_and_lose_nothing(
    streams: Streams, topic: str
) -> None:
    first = Reading(streams, topic)
    first.until(lambda: first.own == {0, 1, 2})
    second = Reading(streams, topic)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (first.own and second.own and len(first.own | second.own) == 3):
        assert time.monotonic() < deadline
        first.poll()
        second.poll()
    assert not first.own & second.own
    streams.send([spread(topic, numbered(300))])
    while len(first.all()) + len(second.all()) < 300:
        assert time.monotonic() < deadline
        first.poll()
        second.poll()
    first.reader.keep(first.positions)
    second.reader.close()
    # What the second had read and not kept is read again by the first.
    unread = sorted(payload for part in second.read.values() for payload in part)
    first.until(lambda: set(unread) <= set(first.all()))
    assert first.own == {0, 1, 2}


def test_the_lag_is_what_the_group_has_not_kept(streams: Streams, topic: str) -> None:
    one = Reading(streams, topic)
    one.until(lambda: one.own == {0, 1, 2})
    assert one.reader.lag() == {0: 0, 1: 0, 2: 0}
    streams.send([spread(topic, numbered(31))])
    assert sum(one.reader.lag().values()) == 31
    one.until(lambda: len(one.all()) == 31)
    assert one.reader.lag() == {0: 11, 1: 10, 2: 10}
    one.reader.keep(one.positions)
    assert one.reader.lag() == {0: 0, 1: 0, 2: 0}
    streams.send([spread(topic, numbered(2, 31))])
    assert one.reader.lag() == {0: 0, 1: 1, 2: 1}


def test_a_topic_keeps_its_number_of_partitions(streams: Streams, topic: str) -> None:
    assert streams.create(topic, 7) == 3


def test_a_topic_that_is_not_there_is_an_error(streams: Streams) -> None:
    name = f"missing{uuid4().hex}"
    with pytest.raises(StreamError, match="no topic"):
        Reading(streams, name)
    with pytest.raises(StreamError, match="no topic"):
        streams.send([Outgoing(name, [0], [b"x"])])
