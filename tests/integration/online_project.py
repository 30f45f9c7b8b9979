"""A Feast project over one Redis, whose views have one key and hold whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Int64

from lockstep.contract.clock import FixedClock
from lockstep.lake.lake import Lake
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.online_writes import WriteCount
from lockstep.stores.plan_compiler import read_plan
from lockstep.stores.read_plan import ReadPlan
from lockstep.stores.view_table import ViewTable
from lockstep.windows.microseconds import instant_at, microseconds

T0 = datetime(2018, 4, 1, tzinfo=UTC)
T0_US = microseconds(T0)
CARD = Entity(name="card", join_keys=["card_id"], value_type=ValueType.INT64)


def view(name: str, *features: str, ttl: timedelta = timedelta(0), **tags: str) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[CARD],
        ttl=ttl,
        schema=[Field(name=n, dtype=Int64) for n in ("card_id", *features)],
        source=FileSource(
            path=name,
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
        ),
        tags=tags,
    )


class OnlineProject:
    """The store as one Feast project sees it at `now`; times are microseconds after T0."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        name: str = "p",
        now: datetime = T0 + timedelta(days=1),
        store: OnlineStore | None = None,
        **settings: Any,
    ) -> None:
        self.name = name
        self.store: Any = store or LockstepOnlineStore(FixedClock(now))
        online = {"type": "lockstep.stores.online.LockstepOnlineStore", "redis_url": url}
        self.config = RepoConfig(
            project=name,
            provider="local",
            registry=str(folder / "registry.db"),
            online_store=settings if store else online | settings,
            entity_key_serialization_version=3,
        )

    def write(
        self, table: FeatureView, *rows: tuple[int, int, int | None, int | None]
    ) -> WriteCount:
        """Rows of (card, event, created, value), one a card, by `write_steps`."""
        return self.store.write_steps(
            self.config, table, ViewTable(table, Lake.at(".")), frame(table, rows), None
        )

    def push(self, table: FeatureView, *rows: tuple[int, int, int | None, int | None]) -> None:
        """The same, as Feast hands rows over."""
        messages = [
            (
                entity(card),
                {
                    feature.name: Value() if value is None else Value(int64_val=value)
                    for feature in table.features
                },
                instant_at(T0_US + event),
                None if created is None else instant_at(T0_US + created),
            )
            for card, event, created, value in rows
        ]
        self.store.online_write_batch(self.config, table, messages, None)

    def read(self, table: FeatureView, *cards: int) -> list[Any]:
        """For each card (event in microseconds after T0, the first feature), or None."""
        return [plain(row) for row in self.store.online_read(self.config, table, _keys(cards))]

    async def read_async(self, table: FeatureView, *cards: int) -> list[Any]:
        try:
            found = await self.store.online_read_async(self.config, table, _keys(cards))
        finally:
            await self.store.close()
        return [plain(row) for row in found]

    def plan(self, *views: FeatureView) -> ReadPlan:
        return read_plan(self.name, list(views))


def frame(
    table: FeatureView, rows: Sequence[tuple[int, int, int | None, int | None]]
) -> pl.DataFrame:
    """The rows as an engine reads them; all features have the row's value."""
    cards, events, created, values = zip(*rows, strict=True) if rows else ((), (), (), ())
    utc = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "card_id": pl.Series(cards, dtype=pl.Int64),
            "event_timestamp": (pl.Series(events, dtype=pl.Int64) + T0_US).cast(utc),
            "created_timestamp": (pl.Series(created, dtype=pl.Int64) + T0_US).cast(utc),
            **{f.name: pl.Series(values, dtype=pl.Int64) for f in table.features},
        }
    )


def entity(card: int) -> EntityKey:
    return EntityKey(join_keys=["card_id"], entity_values=[Value(int64_val=card)])


def plain(row: tuple[datetime | None, Mapping[str, Value] | None]) -> Any:
    at, values = row
    if at is None:
        return None
    first = None if values is None else next(iter(values.values()))
    value = first.int64_val if first is not None and first.HasField("int64_val") else None
    return microseconds(at) - T0_US, value


def _keys(cards: Sequence[int]) -> list[EntityKey]:
    return [entity(card) for card in cards]
