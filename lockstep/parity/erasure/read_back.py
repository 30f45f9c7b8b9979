"""The online store laid beside the lake, for some keys of a view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl
from feast.protos.feast.types.EntityKey_pb2 import EntityKey

from lockstep.stores.feast_rows import feast_rows
from lockstep.stores.newest_rows import Chosen, newest_rows
from lockstep.stores.online import LockstepOnlineStore
from lockstep.stores.proto_values import proto_values
from lockstep.stores.view_table import ViewTable

if TYPE_CHECKING:
    from feast import FeatureStore


def differing(
    store: FeatureStore, table: ViewTable, keys: Sequence[tuple[int, ...]], end: datetime
) -> int:
    """How many of the keys hold another row online than the newest of the table up to `end`.

    A key that has none there must have none online. Event times are compared, and values bit by
    bit where the view's ttl lets them be read.

    Raises:
        SourceError: the table cannot be read.
        StoreUnavailableError: the online store does not answer.
    """
    expected = _newest(store, table, keys, end)
    asked = entity_keys(keys, table)
    reads = LockstepOnlineStore().online_read(store.config, table.view, asked)
    wrong = 0
    for key, (event, values) in zip(asked, reads, strict=True):
        at, told = expected.get(key.SerializeToString(), (None, None))
        wrong += event != at or (values is not None and values != told)
    return wrong


def entity_keys(keys: Sequence[tuple[int, ...]], table: ViewTable) -> list[EntityKey]:
    """The keys as Feast has them."""
    frame, names = _frame(keys, table), list(table.keys)
    columns = [proto_values(frame.get_column(n), table.keys[n]) for n in names]
    rows = zip(*columns, strict=True)
    return [EntityKey(join_keys=names, entity_values=values) for values in rows]


def _newest(
    store: FeatureStore, table: ViewTable, keys: Sequence[tuple[int, ...]], end: datetime
) -> dict[bytes, tuple[datetime, object]]:
    if not table.table.exists():
        return {}
    knows_less = getattr(store.config.offline_store, "exclude_created_after", False)
    chosen = Chosen(end, known_by=end if knows_less and table.has_created else None)
    asked, names = _frame(keys, table), list(table.keys)
    found: dict[bytes, tuple[datetime, object]] = {}
    for rows in newest_rows(table, chosen=chosen):
        theirs = rows.join(asked, on=names, how="semi")
        for key, values, event, _ in feast_rows(theirs, table):
            found[key.SerializeToString()] = event, values
    return found


def _frame(keys: Sequence[tuple[int, ...]], table: ViewTable) -> pl.DataFrame:
    return pl.DataFrame(list(keys), schema=dict(table.key_types()), orient="row")
