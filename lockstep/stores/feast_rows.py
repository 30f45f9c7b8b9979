"""Rows of a view as Feast hands them to an online store, converted column by column."""

from __future__ import annotations

import polars as pl
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from lockstep.stores.online_rows import FeastRow
from lockstep.stores.proto_values import proto_values
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP


def feast_rows(rows: pl.DataFrame, table: ViewTable) -> list[FeastRow]:
    """One tuple for each row of `table.scan`: entity key, features, event and created time."""
    names = list(table.features)
    columns = (proto_values(rows.get_column(n), t) for n, t in table.features.items())
    features = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    events = rows.get_column(EVENT_TIMESTAMP).to_list()
    created = [None] * len(rows)
    if CREATED_TIMESTAMP in rows.columns:
        created = rows.get_column(CREATED_TIMESTAMP).to_list()
    return list(zip(_entity_keys(rows, table), features, events, created, strict=True))


def _entity_keys(rows: pl.DataFrame, table: ViewTable) -> list[EntityKey]:
    if not table.keys:
        dummy = Value(string_val=DUMMY_ENTITY_VAL)
        return [EntityKey(join_keys=[DUMMY_ENTITY_ID], entity_values=[dummy])] * len(rows)
    names = list(table.keys)
    columns = (proto_values(rows.get_column(n), t) for n, t in table.keys.items())
    return [
        EntityKey(join_keys=names, entity_values=values) for values in zip(*columns, strict=True)
    ]
