"""The daily marts through Feast: valid for one day, then EXPIRED, offline and online alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from feast import FeatureStore
from fraud_project import Project, materialize

from feature_repo.definitions.fraud_daily import customer_daily, fraud_daily_v1
from feature_repo.store import open_feature_store
from feature_repo.windows.fraud_daily import CUSTOMER_DAILY
from lockstep.contract.status import FeatureStatus
from lockstep.lake.lake import Lake
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.online_read import FeatureValue, statuses
from lockstep.stores.online_reader import OnlineReader
from lockstep.stores.plan_compiler import read_plan
from lockstep.windows.microseconds import microseconds

# A midnight inside the generated history, and the end of the materialisation: exactly then.
MIDNIGHT = datetime(2018, 5, 11, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def store(project: Project) -> FeatureStore:
    return open_feature_store(project.settings)


@pytest.fixture(scope="module")
def marts(project: Project) -> pl.DataFrame:
    """The snapshots of the midnight."""
    table = Lake.at(project.settings.lake).table(CUSTOMER_DAILY.table)
    return table.scan().filter(pl.col("event_timestamp") == MIDNIGHT).collect()


@pytest.fixture(scope="module")
def materialized(project: Project) -> Iterator[str]:
    with embedded_redis() as url:
        materialize(project.settings, url, MIDNIGHT)
        yield url


def offline(store: FeatureStore, customers: list[int], at: datetime) -> pl.DataFrame:
    entities = pl.DataFrame(
        {
            "customer_id": customers,
            "terminal_id": 1,
            "event_timestamp": at,
            "amount_cents": 500,
            "transaction_time_us": microseconds(at),
        },
        schema_overrides={"event_timestamp": pl.Datetime("us", "UTC")},
    )
    service = store.get_feature_service(fraud_daily_v1.name)
    job = store.get_historical_features(entity_df=entities.to_arrow(), features=service)
    return pl.DataFrame(job.to_arrow())


def online(store: FeatureStore, url: str, customer: int, at: datetime) -> dict[str, FeatureValue]:
    view = store.get_feature_view(customer_daily.name)
    plan = read_plan(store.project, [view])

    async def read() -> list[dict[str, Any]]:
        reader = OnlineReader(url, plan)
        try:
            return await reader.read([{"customer_id": customer}])
        finally:
            await reader.close()

    (views,) = asyncio.run(read())
    return statuses(views.values(), microseconds(at))


def test_a_snapshot_is_valid_for_one_day_and_not_longer(
    store: FeatureStore, marts: pl.DataFrame, project: Project
) -> None:
    customers = marts["customer_id"].to_list()
    expected = marts.select("customer_id", *CUSTOMER_DAILY.features())
    for at in (MIDNIGHT, MIDNIGHT + DAY - MICROSECOND):
        assert offline(store, customers, at).select(expected.columns).equals(expected)
    last = Lake.at(project.settings.lake).table(CUSTOMER_DAILY.table).scan().collect()
    newest = last.filter(pl.col("event_timestamp") == pl.col("event_timestamp").max())
    at = newest["event_timestamp"][0] + DAY
    ids = newest["customer_id"].to_list()
    feature = next(iter(CUSTOMER_DAILY.features()))
    assert offline(store, ids, at)[feature].null_count() == 0
    assert offline(store, ids, at + MICROSECOND)[feature].null_count() == len(ids)


@pytest.mark.parametrize(
    ("after", "status"),
    [
        (timedelta(0), FeatureStatus.PRESENT),
        (DAY - MICROSECOND, FeatureStatus.PRESENT),
        (DAY, FeatureStatus.STALE),
        (DAY + MICROSECOND, FeatureStatus.EXPIRED),
    ],
)
def test_redis_holds_the_snapshot_of_the_midnight_until_it_expires(
    store: FeatureStore,
    materialized: str,
    marts: pl.DataFrame,
    after: timedelta,
    status: FeatureStatus,
) -> None:
    row = marts.row(0, named=True)
    found = online(store, materialized, row["customer_id"], MIDNIGHT + after)
    for name in CUSTOMER_DAILY.features():
        kept = row[name] if status.keeps_value else None
        assert (found[name].value, found[name].status) == (kept, status)


def test_the_transaction_is_compared_with_its_range_on_demand(
    store: FeatureStore, marts: pl.DataFrame
) -> None:
    row = marts.row(0, named=True)
    found = offline(store, [row["customer_id"]], MIDNIGHT).row(0, named=True)
    smallest = row["customer_daily_amount_cents_min_30d"]
    assert found["tx_amount_to_customer_min_30d"] == 500 / smallest
    last = row["customer_daily_tx_last_event_time_30d"]
    since = (microseconds(MIDNIGHT) - last) // 1_000_000
    assert found["customer_seconds_since_last_tx"] == since
