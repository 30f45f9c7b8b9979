"""The online store: Feast's Redis layout, so that any Feast client reads it.

    online_store:
      type: lockstep.stores.online.LockstepOnlineStore
      redis_url: redis://127.0.0.1:6379/0      # default: REDIS_URL, else the embedded server
      key_ttl_seconds: 86400                   # default: hashes never expire

What it does that Feast's own store does not: statuses as of now (an entity that was never
written is NOT_FOUND, a row older than its view's ttl OUTSIDE_MAX_AGE); a correction with the
same event time and a later created time wins, whoever writes at once; times are exact; a
project's deletes touch only that project; each view has a horizon. See docs/online.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import polars as pl
from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.repo_config import FeastConfigBaseModel

from lockstep.contract.clock import Clock, SystemClock
from lockstep.stores.feast_reads import FeastRead, OnlineQuery, OnlineRead, stored_name
from lockstep.stores.feast_response import FeastResponse, answered, asked
from lockstep.stores.locations import redis_url
from lockstep.stores.online_connections import OnlineConnections
from lockstep.stores.online_deletes import begin_deletion, delete_view, end_deletion
from lockstep.stores.online_rows import FeastRow
from lockstep.stores.online_writes import WriteCount
from lockstep.stores.redis_address import Part
from lockstep.stores.redis_errors import redis_errors
from lockstep.stores.redis_layout import horizon_key, mark_key
from lockstep.stores.redis_servers import RedisServers
from lockstep.stores.redis_wire import Reply, packed
from lockstep.stores.view_table import ViewTable
from lockstep.stores.view_writer import ViewWriter
from lockstep.windows.microseconds import instant_at, microseconds

_ADVANCE = """
local held = tonumber(redis.call('GET', KEYS[1]) or '-1')
local new, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
if held < new or (limit >= 0 and held > limit) then redis.call('SET', KEYS[1], ARGV[1]) end
"""


class LockstepOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast: no types
    """The settings of `online_store` in feature_store.yaml."""

    type: str = "lockstep.stores.online.LockstepOnlineStore"
    redis_url: str | None = None
    key_ttl_seconds: int | None = None


class LockstepOnlineStore(OnlineStore):  # type: ignore[misc]  # Feast ships no types
    """Feast's online store over one Redis."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._connections = OnlineConnections()

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Both ways."""
        return SupportedAsyncMethods(read=True, write=True)

    def write_steps(
        self,
        config: RepoConfig,
        view: FeatureView,
        table: ViewTable,
        rows: pl.DataFrame,
        progress: Callable[[int], Any] | None = None,
    ) -> WriteCount:
        """Writes rows that `table` scans, one a key, unless Redis holds newer ones.

        By event time, then created time, whoever writes at the same time. What was counted
        by `progress` is written, in the order of `rows`.

        Raises:
            EntityKeyError: a key is null.
            StoreUnavailableError: Redis does not answer, or refuses; the rest is not written.
        """
        with self._servers(config) as servers:
            return ViewWriter(servers, config, view).write_frame(table, rows, progress)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[FeastRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Writes each row unless Redis holds a newer one: by event time, then created time.

        Raises:
            StoreUnavailableError: Redis does not answer, or refuses.
        """
        with self._servers(config) as servers:
            ViewWriter(servers, config, table).write_rows(data, progress)

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[FeastRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """The same, in a thread.

        Raises:
            StoreUnavailableError: Redis does not answer, or refuses.
        """
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: Sequence[EntityKey],
        requested_features: Sequence[str] | None = None,
    ) -> list[OnlineRead]:
        """Event time and values for each key, in order; (None, None) where never written.

        A null is a Value with nothing in it. A feature that is newer than the row (added
        since, not materialised yet) is left out, so that Feast says NOT_FOUND. A row that
        has outlived the view's ttl has its event time and no values.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        query = OnlineQuery.of(config, table, entity_keys, requested_features)
        (reads,) = self._ask(config, [query])
        return [read.row for read in reads]

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: Sequence[EntityKey],
        requested_features: Sequence[str] | None = None,
    ) -> list[OnlineRead]:
        """As `online_read`, in any event loop.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        query = OnlineQuery.of(config, table, entity_keys, requested_features)
        (reads,) = await self._ask_async(config, [query])
        return [read.row for read in reads]

    def _read_features_per_fv(self, config: RepoConfig, *request: Any) -> None:
        """Feast's hook behind `get_online_features`: all views in one round trip."""
        response = FeastResponse.of(config, *request)
        response.fill(self._ask(config, response.queries))

    async def _read_features_per_fv_async(self, config: RepoConfig, *request: Any) -> None:
        """The same for `get_online_features_async`."""
        response = FeastResponse.of(config, *request)
        response.fill(await self._ask_async(config, response.queries))

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Deletes the rows of views that are gone; Redis is not asked when there are none.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        self.teardown(config, tables_to_delete, entities_to_delete)

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Deletes this project's rows of `tables`, and nothing else.

        Of a view that was ever materialised the ledger gets a record, before and after.

        Raises:
            StoreUnavailableError: Redis does not answer.
            SourceError: the ledger's lake does not; of this view and the next nothing is deleted.
        """
        for table in tables:
            begun = begin_deletion(config, table, self._clock)
            with self._servers(config) as servers:
                rows = delete_view(
                    servers,
                    config.project,
                    stored_name(config, table),
                    join_keys=table.join_keys,
                    features=[feature.name for feature in table.features],
                )
            if begun is not None:
                end_deletion(config, begun, rows, self._clock)

    def advance_horizon(
        self,
        config: RepoConfig,
        table: FeatureView,
        horizon: datetime,
        *,
        limit: datetime | None = None,
    ) -> None:
        """Records that the view's rows are exact for T < `horizon`.

        It moves back only from beyond `limit`, the horizon of the table: a claim that the
        lake itself does not make (any more) is withdrawn.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        key = horizon_key(config.project, stored_name(config, table))
        limit_us = -1 if limit is None else microseconds(limit)
        self._command(config, key, "EVAL", _ADVANCE, 1, key, microseconds(horizon), limit_us)

    def horizon(self, config: RepoConfig, table: FeatureView) -> datetime | None:
        """The T before which the view's rows are exact; None where nothing was recorded.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        key = horizon_key(config.project, stored_name(config, table))
        held = self._command(config, key, "GET", key)
        return None if held is None else instant_at(int(held))

    def mark(self, config: RepoConfig, table: FeatureView) -> str | None:
        """What `set_mark` noted last of the view; None where Redis has nothing.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        key = mark_key(config.project, stored_name(config, table))
        held = self._command(config, key, "GET", key)
        return None if held is None else str(held.decode())

    def set_mark(self, config: RepoConfig, table: FeatureView, text: str) -> None:
        """Notes what a materialisation has done, beside the rows that it wrote.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        key = mark_key(config.project, stored_name(config, table))
        self._command(config, key, "SET", key, text)

    async def close(self) -> None:
        """Ends the connections; Feast's server calls it when it stops."""
        await self._connections.close()

    @contextmanager
    def _servers(self, config: RepoConfig) -> Iterator[RedisServers]:
        url = redis_url(config)
        with redis_errors(url):
            yield self._connections.servers(url)

    def _command(self, config: RepoConfig, key: bytes, *command: Part) -> Reply:
        with self._servers(config) as servers:
            (reply,) = servers.ask([key], [packed(*command)])
        return reply

    def _ask(self, config: RepoConfig, queries: Sequence[OnlineQuery]) -> list[list[FeastRead]]:
        keys, commands = asked(queries)
        with self._servers(config) as servers:
            replies = servers.ask(keys, commands)
        return answered(queries, replies, microseconds(self._clock.now()))

    async def _ask_async(
        self, config: RepoConfig, queries: Sequence[OnlineQuery]
    ) -> list[list[FeastRead]]:
        url = redis_url(config)
        keys, commands = asked(queries)
        with redis_errors(url):
            replies = await self._connections.of_loop(url).ask(keys, commands)
        return answered(queries, replies, microseconds(self._clock.now()))
