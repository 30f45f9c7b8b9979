"""The online store: Feast's Redis layout, so that any Feast client reads it.

    online_store:
      type: lockstep.stores.online.LockstepOnlineStore
      redis_url: redis://127.0.0.1:6379/0      # default: REDIS_URL, else the embedded server

What it does that Feast's own store does not: an entity that was never written is
NOT_FOUND; a correction with the same event time and a later created time wins; times
are exact; a project's deletes touch only that project; each view has a horizon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel

from lockstep.stores.locations import redis_url
from lockstep.stores.online_deletes import delete_view
from lockstep.stores.online_rows import FeastRow, online_rows, write_newest
from lockstep.stores.redis_connection import RedisClient, connect, redis_errors
from lockstep.stores.redis_layout import (
    decode_time,
    entity_key,
    event_field,
    feature_field,
    horizon_key,
)
from lockstep.windows.microseconds import instant_at, microseconds

OnlineRead = tuple[datetime | None, dict[str, Value] | None]

_WRITE_BATCH = 2000

_ADVANCE = """
local held = tonumber(redis.call('GET', KEYS[1]) or '-1')
local new, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
if held < new or (limit >= 0 and held > limit) then redis.call('SET', KEYS[1], ARGV[1]) end
"""


class LockstepOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast: no types
    """The settings of `online_store` in feature_store.yaml."""

    type: str = "lockstep.stores.online.LockstepOnlineStore"
    redis_url: str | None = None


class LockstepOnlineStore(OnlineStore):  # type: ignore[misc]  # Feast ships no types
    """Feast's online store over one Redis."""

    def __init__(self) -> None:
        self._clients: dict[str, RedisClient] = {}

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[FeastRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Writes each row unless Redis holds a newer one: by event time, then created time.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        url, view = redis_url(config), _name(config, table)
        for start in range(0, len(data), _WRITE_BATCH):
            rows = data[start : start + _WRITE_BATCH]
            with redis_errors(url):
                write_newest(self._client(url), view, online_rows(config.project, view, rows))
            if progress:
                progress(len(rows))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: Sequence[EntityKey],
        requested_features: Sequence[str] | None = None,
    ) -> list[OnlineRead]:
        """Event time and values for each key, in order; (None, None) where never written.

        A null is a Value with nothing in it. A feature that is newer than the row (added
        since, not materialised yet) is left out, so that Feast says NOT_FOUND.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        url, view = redis_url(config), _name(config, table)
        names = requested_features or [feature.name for feature in table.features]
        fields = [event_field(view), *(feature_field(view, name) for name in names)]
        with redis_errors(url), self._client(url).pipeline(transaction=False) as pipe:
            for key in entity_keys:
                pipe.execute_command("HMGET", entity_key(config.project, key), *fields)
            found = pipe.execute()
        return [_online_read(names, event, values) for event, *values in found]

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

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        url = redis_url(config)
        for table in tables:
            with redis_errors(url):
                delete_view(
                    self._client(url),
                    config.project,
                    _name(config, table),
                    join_keys=table.join_keys,
                    features=[feature.name for feature in table.features],
                )

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
        url = redis_url(config)
        key = horizon_key(config.project, _name(config, table))
        us = microseconds(horizon)
        limit_us = -1 if limit is None else microseconds(limit)
        with redis_errors(url):
            self._client(url).execute_command("EVAL", _ADVANCE, 1, key, us, limit_us)

    def horizon(self, config: RepoConfig, table: FeatureView) -> datetime | None:
        """The T before which the view's rows are exact; None where nothing was recorded.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        url = redis_url(config)
        key = horizon_key(config.project, _name(config, table))
        with redis_errors(url):
            held = self._client(url).execute_command("GET", key)
        return None if held is None else instant_at(int(held))

    def _client(self, url: str) -> RedisClient:
        if url not in self._clients:
            self._clients[url] = connect(url)
        return self._clients[url]


def _online_read(
    names: Sequence[str], event: bytes | None, values: Sequence[bytes | None]
) -> OnlineRead:
    if event is None:
        return (None, None)
    read = zip(names, values, strict=True)
    present = {name: Value.FromString(data) for name, data in read if data is not None}
    return (instant_at(decode_time(event)), present)


def _name(config: RepoConfig, table: FeatureView) -> str:
    """The view's name in Redis; Feast's versioning, where it is on, adds to it."""
    versioned = config.registry.enable_online_feature_view_versioning
    return str(compute_versioned_name(table, versioned))
