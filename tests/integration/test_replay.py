"""The lake's rows as a live source: each once, when it became known, verdicts on their own time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import polars as pl
import pytest
from fraud_project import DAYS, START, Project

from lockstep.contract.fraud_records import TRANSACTIONS, VERDICTS
from lockstep.lake.lake import Lake
from lockstep.stream.codec import Codec
from lockstep.stream.port import Outgoing, Position, partitions_of
from lockstep.stream.redis_streams import RedisStreams
from lockstep.stream.replay import ReplayClock, Source, replay

FROM = START + timedelta(days=DAYS - 10)
TO = START + timedelta(days=DAYS - 8)


class All:
    """Reads a whole topic."""

    def given(self, partitions: Sequence[int]) -> Mapping[int, Position]:
        return {}

    def taken(self, partitions: Sequence[int]) -> None:
        pass

    def rows(self, streams: RedisStreams, source: Source) -> dict[int, pl.DataFrame]:
        reader = streams.reader(source.topic, uuid4().hex, self)
        found: dict[int, list[bytes]] = {p: [] for p in range(source.partitions)}
        while read := reader.poll(10_000, 0.05):
            for records in read:
                found[records.partition] += records.payloads
        reader.close()
        return {p: Codec(source.schema).decode(told).rows for p, told in found.items()}


@pytest.fixture
def streams(redis_server: str) -> Iterator[RedisStreams]:
    found = RedisStreams(redis_server)
    yield found
    found.close()


@pytest.fixture
def sources(project: Project, streams: RedisStreams) -> list[Source]:
    lake, name = Lake.at(project.settings.lake), uuid4().hex
    found = [
        Source.of(lake, schema, f"{name}.{n}", 3, start=FROM, end=TO)
        for n, schema in enumerate((TRANSACTIONS, VERDICTS))
    ]
    for source in found:
        assert source.rows.height > 100
        streams.create(source.topic, source.partitions)
    return found


def test_every_row_is_sent_once_when_it_is_known_and_in_order(
    streams: RedisStreams, sources: list[Source]
) -> None:
    times = [FROM + n * timedelta(hours=5) for n in range(12)]
    clock = iter(times)
    sent = list(replay(streams, sources, lambda: next(clock), sleep=lambda _: None))
    for n, source in enumerate(sources):
        known = source.rows["_known"]
        for told in sent:
            assert told.rows[source.topic] == (known < told.now).sum()
        parts = All().rows(streams, source)
        names = list(source.schema.names)
        for p, rows in parts.items():
            own = pl.Series(partitions_of(source.rows[source.schema.key], 3)) == p
            assert rows.equals(source.rows.filter(own).select(names))
        event = source.rows["event_timestamp"]
        assert event.min() >= FROM and event.max() < TO  # type: ignore[operator]
        assert n == 0 or source.rows["fraud"].sum() > 0


def test_a_clock_runs_as_often_as_fast_for_whoever_has_its_numbers() -> None:
    first = ReplayClock.starting(FROM, 3_600.0)
    same = ReplayClock(first.start, first.speed, first.origin)
    times: list[datetime] = [first.now(), same.now(), first.now()]
    assert times == sorted(times)
    half = ReplayClock(FROM, first.speed / 2, first.origin)
    before, slow, after = first.now(), half.now(), first.now()
    assert (before - FROM) / 2 <= slow - FROM <= (after - FROM) / 2


def test_nothing_to_play_ends_at_once(streams: RedisStreams, sources: list[Source]) -> None:
    empty = [
        Source(source.schema, source.topic, source.partitions, source.rows.clear())
        for source in sources
    ]
    assert list(replay(streams, empty, lambda: FROM, sleep=lambda _: None)) == []
    assert sources[0].until(0, FROM)[1] == Outgoing(sources[0].topic, [], [])
