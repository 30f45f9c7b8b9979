"""Topics of Apache Kafka.

What comes out of records is written in one transaction with the positions of the group; readers see
committed records only. A reader whose partition went to another member of its group cannot commit:
the broker knows the generation (KIP-447).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from lockstep.stream.errors import LostPartitionError, StreamError
from lockstep.stream.port import Outgoing, Owner, Position, Records

_PATIENCE_SECONDS = 10.0
# A dead writer's open transaction keeps readers of what it wrote waiting for so long.
_TRANSACTION_MS = 10_000
_SESSION_MS = 6_000
_QUEUE_KIB = 32_768
_LOST = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._FENCED,
        KafkaError._STATE,
    }
)


class KafkaStreams:
    """The topics of one cluster. `servers` are host:port, with commas between.

    `properties` are further ones of librdkafka, such as `security.protocol` and `sasl.password`.
    """

    def __init__(self, servers: str, properties: Mapping[str, str] | None = None) -> None:
        # librdkafka itself would write every failed connection to stderr.
        self._config: dict[str, Any] = {"log_level": 0, **(properties or {})}
        self._config["bootstrap.servers"] = servers
        self._servers = servers
        self._admin = AdminClient(self._config)
        self._producer: Producer | None = None
        self._failed: list[KafkaError] = []
        self._counts: dict[str, int] = {}

    @property
    def config(self) -> dict[str, Any]:
        """What every client is made with."""
        return dict(self._config)

    def create(self, topic: str, partitions: int) -> int:
        """See `Streams`."""
        with self.errors():
            made = self._admin.create_topics(
                [NewTopic(topic, partitions)], request_timeout=_PATIENCE_SECONDS
            )
            try:
                made[topic].result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
        return self.count(topic)

    def send(self, outgoing: Iterable[Outgoing]) -> None:
        """See `Streams`."""
        if self._producer is None:
            settings = {"enable.idempotence": True, "linger.ms": 5}
            self._producer = self.producer(settings, self._failed.append)
        with self.errors():
            for out in outgoing:
                self.count(out.topic)
                produce(self._producer, out)
            left = self._producer.flush(_PATIENCE_SECONDS)
        if left or self._failed:
            why = str(self._failed[0]) if self._failed else f"{left:,} records are not stored yet"
            self._failed.clear()
            self._producer = None
            raise StreamError.unreachable(self._servers, why)

    def reader(self, topic: str, group: str, owner: Owner) -> KafkaReader:
        """See `Streams`."""
        self.count(topic)
        return KafkaReader(self, topic, group, owner)

    def close(self) -> None:
        """See `Streams`."""
        self._producer = None

    def producer(self, settings: Mapping[str, Any], failed: Any) -> Producer:
        """A new producer; `failed` is told the error of every record that is not stored."""
        return Producer(
            {
                **self._config,
                "acks": "all",
                "delivery.report.only.error": True,
                "message.timeout.ms": int(1_000 * _PATIENCE_SECONDS),
                **settings,
            },
            on_delivery=lambda error, _: failed(error),
        )

    def count(self, topic: str) -> int:
        """How many partitions a topic has.

        Raises:
            StreamError: there is no such topic, or the broker does not answer.
        """
        if topic not in self._counts:
            with self.errors():
                told = self._admin.list_topics(timeout=_PATIENCE_SECONDS).topics
            if topic not in told:
                raise StreamError.no_topic(self._servers, topic)
            self._counts[topic] = len(told[topic].partitions)
        return self._counts[topic]

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns what the client raises into a `StreamError`."""
        try:
            yield
        except (KafkaException, BufferError) as error:
            raise StreamError.unreachable(self._servers, error) from error


class KafkaReader:
    """A member of a group; see `StreamReader`."""

    def __init__(self, streams: KafkaStreams, topic: str, group: str, owner: Owner) -> None:
        self._streams, self._topic, self._group, self._owner = streams, topic, group, owner
        self._own: set[int] = set()
        self._consumer: Consumer | None = None
        self._producer: Producer | None = None
        self._fault: StreamError | None = None

    def poll(self, most: int, wait_seconds: float) -> list[Records]:
        """See `StreamReader`."""
        try:
            with self._streams.errors():
                consumer = self._connected()
                # `consume` waits its whole time for a batch that is not full.
                first = consumer.poll(wait_seconds)
                more = consumer.consume(most - 1, 0.0) if first is not None and most > 1 else []
            if self._fault is not None:
                raise self._fault
            return self._records(([first] if first is not None else []) + more)
        except StreamError:
            # What was read and not handed over is read again.
            self._begin_anew()
            raise

    def keep(self, positions: Mapping[int, Position], outgoing: Iterable[Outgoing] = ()) -> None:
        """See `StreamReader`."""
        if not_own := sorted(set(positions) - self._own):
            raise LostPartitionError.of(self._topic, not_own)
        offsets = [TopicPartition(self._topic, p, int(at)) for p, at in positions.items()]
        sent = list(outgoing)
        for out in sent:
            self._streams.count(out.topic)
        try:
            if sent:
                self._transact(offsets, sent)
            else:
                self._connected().commit(offsets=offsets, asynchronous=False)
        except (KafkaException, BufferError) as error:
            lost = isinstance(error, KafkaException) and error.args[0].code() in _LOST
            self._begin_anew()
            if lost:
                raise LostPartitionError.of(self._topic, sorted(positions)) from error
            raise StreamError.unreachable(
                self._streams.config["bootstrap.servers"], error
            ) from error

    def lag(self) -> dict[int, int]:
        """See `StreamReader`."""
        with self._streams.errors():
            consumer = self._connected()
            asked = [TopicPartition(self._topic, p) for p in sorted(self._own)]
            kept = consumer.committed(asked, timeout=_PATIENCE_SECONDS) if asked else []
            return {
                part.partition: self._bounds(part.partition)[1] - max(part.offset, 0)
                for part in kept
            }

    def close(self) -> None:
        """See `StreamReader`."""
        self._begin_anew()

    def _connected(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    **self._streams.config,
                    "group.id": self._group,
                    "enable.auto.commit": False,
                    "auto.offset.reset": "error",
                    "isolation.level": "read_committed",
                    "partition.assignment.strategy": "cooperative-sticky",
                    "session.timeout.ms": _SESSION_MS,
                    "heartbeat.interval.ms": _SESSION_MS // 4,
                    "queued.max.messages.kbytes": _QUEUE_KIB,
                }
            )
            self._consumer.subscribe(
                [self._topic], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken
            )
        return self._consumer

    def _begin_anew(self) -> None:
        """Leaves the group; with the next poll it is a new member, where the group kept to be."""
        consumer, self._consumer, self._producer = self._consumer, None, None
        self._fault = None
        if consumer is not None:
            consumer.close()
        self._forget(sorted(self._own))

    def _given(self, consumer: Consumer, given: Sequence[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return  # it is being closed
        partitions = [part.partition for part in given]
        kept = consumer.committed(list(given), timeout=_PATIENCE_SECONDS)
        self._own |= set(partitions)
        told = self._owner.given(partitions)
        for part in kept:
            part.offset = int(told.get(part.partition) or max(part.offset, 0))
            if self._bounds(part.partition)[0] > part.offset:
                position = str(part.offset or "")
                self._fault = StreamError.removed_unread(self._topic, part.partition, position)
        consumer.incremental_assign(kept)

    def _taken(self, consumer: Consumer, taken: Sequence[TopicPartition]) -> None:
        self._forget([part.partition for part in taken])

    def _forget(self, partitions: Sequence[int]) -> None:
        if partitions:
            self._own -= set(partitions)
            self._owner.taken(partitions)

    def _bounds(self, partition: int) -> tuple[int, int]:
        """The first offset that there is, and the one after the last."""
        assert self._consumer is not None
        low, high = self._consumer.get_watermark_offsets(
            TopicPartition(self._topic, partition), timeout=_PATIENCE_SECONDS
        )
        return int(low), int(high)

    def _transact(self, offsets: list[TopicPartition], outgoing: Sequence[Outgoing]) -> None:
        failed: list[KafkaError] = []
        if self._producer is None:
            settings = {
                "transactional.id": f"{self._group}-{uuid4().hex}",
                "transaction.timeout.ms": _TRANSACTION_MS,
                "linger.ms": 5,
            }
            producer = self._streams.producer(settings, failed.append)
            producer.init_transactions(_PATIENCE_SECONDS)
            self._producer = producer
        producer = self._producer
        producer.begin_transaction()
        try:
            for out in outgoing:
                produce(producer, out)
            metadata = self._connected().consumer_group_metadata()
            producer.send_offsets_to_transaction(offsets, metadata, _PATIENCE_SECONDS)
            producer.commit_transaction(_PATIENCE_SECONDS)
        except (KafkaException, BufferError) as error:
            if isinstance(error, BufferError) or error.args[0].txn_requires_abort():
                producer.abort_transaction(_PATIENCE_SECONDS)
            raise

    def _records(self, messages: Sequence[Message]) -> list[Records]:
        payloads: dict[int, list[bytes]] = {}
        last: dict[int, int] = {}
        for message in messages:
            if (error := message.error()) is not None:
                if error.code() == KafkaError._AUTO_OFFSET_RESET:
                    raise StreamError.removed_unread(
                        self._topic, message.partition() or 0, "where it was"
                    )
                if error.fatal() or not error.retriable():
                    raise StreamError.unreachable(self._streams.config["bootstrap.servers"], error)
                continue
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            payloads.setdefault(partition, []).append(message.value() or b"")
            last[partition] = offset
        return [Records(p, read, str(last[p] + 1)) for p, read in payloads.items()]


def produce(producer: Producer, out: Outgoing) -> None:
    """Hands records over; waits where too many are on their way."""
    for partition, payload in zip(out.partitions, out.payloads, strict=True):
        while True:
            try:
                producer.produce(out.topic, payload, partition=int(partition))
                break
            except BufferError:
                producer.poll(0.1)
    producer.poll(0)
