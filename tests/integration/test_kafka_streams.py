"""What is Kafka's own: generations, transactions, retention, a broker that is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from uuid import uuid4

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from free_port import free_port

from lockstep.stream.errors import LostPartitionError, StreamError
from lockstep.stream.kafka import KafkaReader, KafkaStreams
from lockstep.stream.local_kafka import LocalKafka, local_kafka
from lockstep.stream.port import Outgoing, Position, Records

PATIENCE_SECONDS = 60.0
TEN = [b"%d" % n for n in range(10)]


class Owner:
    """Begins where its group kept to be."""

    def given(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        return {}

    def taken(self, partitions: Sequence[int]) -> None:
        pass


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def reader(streams: KafkaStreams, topic: str, closing: ExitStack) -> KafkaReader:
    found = streams.reader(topic, "g", Owner())
    closing.callback(found.close)
    return found


def read(one: KafkaReader) -> Records:
    """The first records that come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for records in one.poll(100, 0.5):
            return records
    raise AssertionError("nothing came")


def topic_of(streams: KafkaStreams) -> str:
    name = f"t{uuid4().hex}"
    streams.create(name, 1)
    return name


def test_a_reader_that_stalled_keeps_nothing_and_its_outgoing_records_are_never_read(
    kafka_server: str, closing: ExitStack
) -> None:
    streams = KafkaStreams(kafka_server, {"max.poll.interval.ms": "6000"})
    topic, out = topic_of(streams), topic_of(streams)
    streams.send([Outgoing(topic, [0] * 10, TEN)])
    stalled = reader(streams, topic, closing)
    had = read(stalled)
    other = reader(streams, topic, closing)
    # It does not poll for longer than it may: the group goes on without it.
    again = read(other)
    assert again.payloads == had.payloads == TEN
    with pytest.raises(LostPartitionError):
        stalled.keep({0: had.position}, [Outgoing(out, [0], [b"of the stalled one"])])
    other.keep({0: again.position}, [Outgoing(out, [0], [b"of the other"])])
    assert read(reader(streams, out, closing)).payloads == [b"of the other"]


def test_records_that_were_removed_unread_are_never_passed_over_in_silence(
    kafka_server: str, closing: ExitStack
) -> None:
    streams = KafkaStreams(kafka_server)
    topic = topic_of(streams)
    streams.send([Outgoing(topic, [0] * 10, TEN)])
    admin = AdminClient(streams.config)
    for done in admin.delete_records([TopicPartition(topic, 0, 4)]).values():
        done.result()
    with pytest.raises(StreamError, match="were removed before they were read"):
        read(reader(streams, topic, closing))


def test_a_broker_that_was_killed_goes_on_with_what_it_had_acknowledged(
    closing: ExitStack,
) -> None:
    broker: LocalKafka = closing.enter_context(local_kafka())
    streams = KafkaStreams(broker.servers)
    topic = topic_of(streams)
    streams.send([Outgoing(topic, [0] * 5, TEN[:5])])
    first = reader(streams, topic, closing)
    had = read(first)
    first.keep({0: had.position})
    broker.kill()
    broker.start()
    streams.send([Outgoing(topic, [0] * 5, TEN[5:])])
    assert read(first).payloads == TEN[5:]


def test_a_broker_that_is_not_there_is_an_error() -> None:
    with pytest.raises(StreamError, match="does not answer"):
        KafkaStreams(f"127.0.0.1:{free_port()}").create("t", 1)
