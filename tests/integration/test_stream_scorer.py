"""A scorer over a real stream, a real Redis and a real registry, beside the API."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from audited_project import bodies
from fraud_project import Project, materialize
from redis import Redis
from serving_client import END, PREDICT, api, wait_until_ready

from lockstep.contract.clock import FixedClock
from lockstep.contract.fraud import SCORED_EVENTS
from lockstep.contract.fraud_records import TRANSACTIONS
from lockstep.contract.registered_model import NoModelError
from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.online_reader import OnlineReader
from lockstep.stream.codec import Codec
from lockstep.stream.port import Outgoing, partitions_of
from lockstep.stream.redis_streams import RedisStreams
from serving.model_cache import ModelCache
from serving.model_fetcher import ModelFetcher
from serving.model_store import ModelStore
from serving.plan_compiler import serving_plan
from serving.scorer import Scorer
from serving.settings import ServingSettings
from serving.stream_scorer import ScoreJob, StreamScorer

PARTITIONS = 3


@dataclass
class Topics:
    streams: RedisStreams
    url: str
    job: ScoreJob

    def send(self, rows: pl.DataFrame, extra: list[bytes] | None = None) -> None:
        places = partitions_of(rows["customer_id"], PARTITIONS).tolist()
        more = extra or []
        records = [*Codec(TRANSACTIONS).encode(rows), *more]
        self.streams.send([Outgoing(self.job.topic, [*places, *[0] * len(more)], records)])

    def read(self, topic: str, partitions: int = PARTITIONS) -> list[list[dict[str, Any]]]:
        with Redis.from_url(self.url) as redis:
            return [
                [json.loads(entry[b"r"]) for _, entry in redis.xrange(f"{topic}:{p}")]
                for p in range(partitions)
            ]


@pytest.fixture
def topics(redis_server: str) -> Iterator[Topics]:
    streams, name = RedisStreams(redis_server), uuid4().hex
    job = ScoreJob(SCORED_EVENTS, TRANSACTIONS, f"{name}.in", f"{name}.out", f"{name}.dead")
    streams.create(job.topic, PARTITIONS)
    streams.create(job.predictions, PARTITIONS)
    streams.create(job.dead_letters, 1)
    yield Topics(streams, redis_server, job)
    streams.close()


@pytest.fixture
def rows(project: Project, redis_url: str) -> pl.DataFrame:
    materialize(project.settings, redis_url, END)
    found = project.transactions.filter(pl.col("event_timestamp") > END).head(120)
    return found.select(TRANSACTIONS.names)


@asynccontextmanager
async def scorer(project: Project, topics: Topics, url: str) -> AsyncIterator[StreamScorer]:
    settings = project.settings.model_copy(update={"redis_url": url})
    chosen = ServingSettings(project=settings, auth="off", model_look_seconds=0.05)
    plan = serving_plan(chosen)
    fetcher = ModelFetcher(chosen, plan, FixedClock(END))
    fetcher.start()
    models = ModelStore(
        ModelCache.under(chosen.models_dir, "fraud"),
        plan.use_cases["fraud"],
        lambda served, one: Scorer(served, one, OnlineReader(url, one.reads)),
    )
    found = StreamScorer(topics.job, topics.streams, models)
    try:
        yield found
    finally:
        found.close()
        await models.close()
        fetcher.close()


async def drain(found: StreamScorer, count: int) -> None:
    async with asyncio.timeout(60):
        while found.counts.records < count:
            try:
                await found.step(wait_seconds=0.2)
            except NoModelError:
                await asyncio.sleep(0.1)


def test_a_record_is_scored_as_the_api_scores_a_request(
    project: Project, topics: Topics, rows: pl.DataFrame, redis_url: str
) -> None:
    async def score() -> StreamScorer:
        async with scorer(project, topics, redis_url) as found:
            topics.send(rows, [b"poison"])
            await drain(found, rows.height + 1)
            assert sum(found.lag().values()) == 0
            return found

    counts = asyncio.run(score()).counts
    assert (counts.predictions, counts.dead_letters, counts.lost_batches) == (rows.height, 1, 0)
    told = topics.read(topics.job.predictions)
    settings = project.settings
    with api(settings, redis_url, END, log_share=0) as client:
        wait_until_ready(client)
        for p, predictions in enumerate(told):
            own = rows.filter(pl.Series(partitions_of(rows["customer_id"], PARTITIONS)) == p)
            # In the order of the records, of all that there are.
            assert [one["transaction_id"] for one in predictions] == own["transaction_id"].to_list()
            for one, row in zip(predictions, own.iter_slices(1), strict=True):
                (body,) = bodies(row, row["event_timestamp"].item())
                answer = client.post(PREDICT, json=body).json()
                assert one["score"] == answer["score"]
                assert one["decision"] == answer["decision"]
                assert one["model_version"] == answer["model"]["version"]
                # Of what is read; what is computed from that has statuses of its own.
                assert one["statuses"] == {
                    name: feature["status"]
                    for name, feature in answer["features"].items()
                    if feature["status"] != "PRESENT" and not name.startswith("tx_")
                }
    ((letter,),) = topics.read(topics.job.dead_letters, 1)
    assert b64decode(letter["record"]) == b"poison"


def test_whoever_goes_on_leaves_one_prediction_a_record(
    project: Project, topics: Topics, rows: pl.DataFrame, redis_url: str
) -> None:
    async def score() -> None:
        topics.send(rows)
        async with scorer(project, topics, redis_url) as first:
            await drain(first, 1)
            # It dies between reading and keeping: what it has read is not kept.
            first._reader.poll(50, 0.2)
        async with scorer(project, topics, redis_url) as second:
            await drain(second, rows.height - first.counts.records)

    asyncio.run(score())
    told = [one["transaction_id"] for part in topics.read(topics.job.predictions) for one in part]
    assert sorted(told) == sorted(rows["transaction_id"].to_list())


def test_a_batch_that_cannot_be_scored_waits_and_is_scored_once(
    project: Project, topics: Topics, rows: pl.DataFrame, redis_url: str
) -> None:
    async def score() -> None:
        async with scorer(project, topics, redis_url) as found:
            topics.send(rows.head(40))
            await drain(found, 40)
            topics.send(rows.tail(40))
            serving = await found.models.found()
            reader = serving.champion.reader
            down = OnlineReader("redis://127.0.0.1:1/0", serving.champion.plan.reads)
            object.__setattr__(serving.champion, "reader", down)
            for _ in range(3):
                with pytest.raises(StoreUnavailableError):
                    await found.step(wait_seconds=0.2)
            assert sum(found.lag().values()) == 40
            object.__setattr__(serving.champion, "reader", reader)
            await drain(found, 80)

    asyncio.run(score())
    told = [one["transaction_id"] for part in topics.read(topics.job.predictions) for one in part]
    assert sorted(told) == sorted(
        [*rows.head(40)["transaction_id"], *rows.tail(40)["transaction_id"]]
    )
