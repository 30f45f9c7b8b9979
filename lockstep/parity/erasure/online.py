"""The online store: the entity's own hashes go, those of who had to do with it are written anew.

A step that Redis holds of another entity may be newer than any that is left, and would win
against them: so the rows of those entities are deleted first, and the whole view is then
materialised again up to where it had been. In between they are NOT_FOUND.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from lockstep.contract.clock import Clock
from lockstep.lake.lake import Lake
from lockstep.parity.erasure.entity import ErasedEntity
from lockstep.parity.erasure.errors import ErasureError
from lockstep.parity.erasure.place import Found
from lockstep.parity.erasure.read_back import differing, entity_keys
from lockstep.parity.erasure.traces import Traces
from lockstep.stores.feast_layout import entity_key, feature_field
from lockstep.stores.feast_reads import stored_name
from lockstep.stores.ledger import ChangeRow, append, newest_row
from lockstep.stores.locations import redis_url
from lockstep.stores.materialization import layout_of
from lockstep.stores.online import LockstepOnlineStoreConfig
from lockstep.stores.redis_address import Part, RedisAddress
from lockstep.stores.redis_errors import redis_errors
from lockstep.stores.redis_layout import (
    created_field,
    event_field,
    mark_key,
    rows_field,
    tail_field,
)
from lockstep.stores.redis_servers import RedisServers
from lockstep.stores.redis_wire import Reply, packed
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

_BATCH = 1000


@dataclass(frozen=True)
class OnlineRows:
    """What the online store holds by the keys that the entity is part of.

    A hash is the entity's, whichever view or use case wrote it: live tails and kept rows are
    among its fields. Keys are looked up, never searched for. `told` is what the ledger is told
    the deletion by.
    """

    store: FeatureStore
    lake: Lake
    entity: ErasedEntity
    traces: Traces
    specs: Sequence[WindowSpec]
    clock: Clock
    told: str
    name: str = "online store"

    def __post_init__(self) -> None:
        if not isinstance(self.store.config.online_store, LockstepOnlineStoreConfig):
            raise ErasureError.other_store(str(self.store.config.online_store.type))

    def find(self) -> Found:
        keys = self._own_hashes()
        there = sum(int(reply or 0) for reply in self._ask(keys, "EXISTS"))
        return Found(there, there)

    def erase(self) -> None:
        begun = [self._begin(view) for view in self._views]
        own = self._own_hashes()
        self._ask(own, "DEL")
        for view in self._views:
            self._write_anew(view)
        for row in begun:
            append(self.lake, replace(row, finished=self.clock.now()))

    def compared(self) -> dict[str, int]:
        """Keys of others that were laid beside the lake, and how many of them differ."""
        keys = wrong = 0
        for view in self._views:
            row = newest_row(self.lake, self.store.project, view.name)
            others = self._others(view)
            if row and others:
                keys += len(others)
                table = ViewTable(view, self.lake)
                wrong += differing(self.store, table, others, row.covered_end)
        return {"keys": keys, "differing": wrong}

    def _write_anew(self, view: FeatureView) -> None:
        """Makes the rows of others what the lake has now."""
        row = newest_row(self.lake, self.store.project, view.name)
        others = self._others(view)
        if row is None or not others:
            return
        self._ask(self._hashes(view, others), "HDEL", *self._fields(view))
        # By its mark a run that broke off would be gone on with, but its rows are deleted again.
        self._ask([mark_key(self.store.project, stored_name(self.store.config, view))], "DEL")
        if ViewTable(view, self.lake).table.exists():
            self.store.materialize(row.asked_start, row.covered_end, feature_views=[view.name])

    def _begin(self, view: FeatureView) -> ChangeRow:
        row = ChangeRow(
            project=self.store.project,
            view=view.name,
            kind="deletion",
            definition=layout_of(view),
            started=self.clock.now(),
            rows=len(self._keys(view)),
            content=self.told,
        )
        append(self.lake, row)
        return row

    def _own_hashes(self) -> list[bytes]:
        own = [view for view in self._views if self._is_own(view)]
        return sorted({key for view in own for key in self._hashes(view, self._keys(view))})

    def _others(self, view: FeatureView) -> Sequence[tuple[int, ...]]:
        return () if self._is_own(view) else self._keys(view)

    def _is_own(self, view: FeatureView) -> bool:
        return self.entity.column in view.join_keys

    def _keys(self, view: FeatureView) -> Sequence[tuple[int, ...]]:
        known = self.traces.keys.get(self._names[view.batch_source.path], ())
        alone = [(self.entity.value,)] if list(view.join_keys) == [self.entity.column] else []
        return sorted({*known, *alone})

    def _hashes(self, view: FeatureView, keys: Sequence[tuple[int, ...]]) -> list[bytes]:
        asked = entity_keys(keys, ViewTable(view, self.lake))
        return [entity_key(self.store.project, key) for key in asked]

    def _fields(self, view: FeatureView) -> list[bytes]:
        name = stored_name(self.store.config, view)
        own = [field(name) for field in (event_field, created_field, tail_field, rows_field)]
        return own + [feature_field(name, feature.name) for feature in view.features]

    @cached_property
    def _names(self) -> dict[str, str]:
        return {spec.table: spec.name for spec in self.specs}

    @cached_property
    def _views(self) -> list[FeatureView]:
        """The use case's views as they were applied, by name."""
        views = self.store.list_feature_views()
        own = [view for view in views if view.batch_source.path in self._names]
        return sorted(own, key=lambda view: str(view.name))

    def _ask(self, keys: Sequence[bytes], command: str, *more: Part) -> list[Reply]:
        url, replies = redis_url(self.store.config), list[Reply]()
        with redis_errors(url):
            servers = RedisServers(RedisAddress.of(url))
            for start in range(0, len(keys), _BATCH):
                batch = keys[start : start + _BATCH]
                replies += servers.ask(batch, [packed(command, key, *more) for key in batch])
            servers.close()
        return replies
