"""A Feast repository over one peer's stores, and what a case asks of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.data_source import DataSource
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.type_map import feast_value_type_to_python_type
from feast.types import Bytes, FeastType, Int64, Map, from_feast_to_pyarrow_type
from matrix_peers import Peer, Places

T0 = datetime(2018, 4, 1, tzinfo=UTC)
UTC_TIME = pa.timestamp("us", "UTC")


def at(hours: float, *, us: int = 0) -> datetime:
    """So many hours and microseconds after T0."""
    return T0 + timedelta(hours=hours, microseconds=us)


@dataclass(frozen=True)
class Row:
    """One row of a table: a key (a tuple where there are several), its times, its features."""

    key: object
    event: datetime
    value: object
    created: datetime | None = None


@dataclass(frozen=True)
class View:
    """A feature view over one parquet table, and the types that the table has.

    `created` is None for a table without created times; `times` is how its times are stored.
    """

    name: str = "cards"
    keys: Mapping[str, FeastType] = field(default_factory=lambda: {"card": Int64})
    features: Mapping[str, FeastType] = field(default_factory=lambda: {"n": Int64})
    ttl: timedelta = timedelta(0)
    created: str | None = "created"
    times: pa.DataType = UTC_TIME
    tags: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)

    def refs(self) -> list[str]:
        """What Feast calls the features."""
        return [f"{self.name}:{feature}" for feature in self.features]

    def columns(self, rows: Sequence[Row]) -> dict[str, list[Any]]:
        """The rows as columns; a row without a created time has the event's."""
        columns = {name: [_parts(row.key)[n] for row in rows] for n, name in enumerate(self.keys)}
        columns["event_timestamp"] = [row.event for row in rows]
        if self.created:
            columns[self.created] = [row.created or row.event for row in rows]
        for n, name in enumerate(self.features):
            columns[self._physical(name)] = [_parts(row.value)[n] for row in rows]
        return columns

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """The rows as they stand in parquet."""
        declared = {**self.keys, **{self._physical(n): kind for n, kind in self.features.items()}}
        return pa.table(
            {
                name: pa.array(values, _arrow(declared[name]) if name in declared else self.times)
                for name, values in self.columns(rows).items()
            }
        )

    def _physical(self, name: str) -> str:
        return {mapped: column for column, mapped in self.mapping.items()}.get(name, name)


class Repository:
    """What a Feast user can do, in the few words that the cases use."""

    def __init__(self, peer: Peer, places: Places, *, project: str = "fraud") -> None:
        self._peer = peer
        self._places = places
        self.store = FeatureStore(
            config=RepoConfig(
                project=project,
                provider="local",
                registry=str(places.folder / f"{project}.registry.db"),
                repo_path=places.folder,
                entity_key_serialization_version=3,
                **peer.stores(places),
            )
        )

    def beside(self, project: str) -> Repository:
        """Another project over the same stores."""
        return Repository(self._peer, self._places, project=project)

    def path(self, view: View) -> Path:
        """Where the view's table is."""
        return self._places.folder / f"{view.name}.parquet"

    def write(self, view: View, *rows: Row) -> None:
        """Makes `rows` the view's table."""
        pq.write_table(view.table(rows), self.path(view))

    def declare(self, view: View, *rows: Row) -> FeatureView:
        """Writes the view's table, and applies the view."""
        self.write(view, *rows)
        return self.apply(view)

    def apply(self, view: View) -> FeatureView:
        """`feast apply` of the view as it is in the folder."""
        declared, entities = self._feature_view(view)
        self.store.apply([*entities, declared])
        return declared

    def joined(
        self,
        view: View,
        *asked: tuple[object, datetime],
        entity_df: pd.DataFrame | None = None,
        **options: Any,
    ) -> object:
        """What each entity row gets: the values of the last feature, in the order asked.

        The store may return them in another order, which is a case of its own; rows that
        are lost or added are said instead of the values.
        """
        frame = self.entities(view, *asked) if entity_df is None else entity_df
        job = self.store.get_historical_features(frame, view.refs(), **options)
        out = job.to_arrow().to_pylist()
        if sorted(row["row"] for row in out) != list(range(len(frame))):
            return f"{len(out)} rows for {len(frame)}"
        name = list(view.features)[-1]
        return [row[name] for row in sorted(out, key=lambda row: row["row"])]

    def joined_type(self, view: View, *asked: tuple[object, datetime]) -> list[str]:
        """The Arrow type of the last feature."""
        job = self.store.get_historical_features(self.entities(view, *asked), view.refs())
        return [str(job.to_arrow().schema.field(list(view.features)[-1]).type)]

    def entities(self, view: View, *asked: tuple[object, datetime]) -> pd.DataFrame:
        """The entity frame for keys and times, with a label column `row` that counts."""
        keys = {n: [_parts(key)[i] for key, _ in asked] for i, n in enumerate(view.keys)}
        times = pd.to_datetime([t for _, t in asked], utc=True)
        return pd.DataFrame({"event_timestamp": times, **keys, "row": range(len(asked))})

    def push(self, view: View, *rows: Row) -> None:
        """Writes rows to the online store alone."""
        frame = pd.DataFrame(view.columns(rows))
        self.store.write_to_online_store(view.name, frame)

    def materialize(self, start: datetime, end: datetime) -> None:
        """`feast materialize START END`."""
        self.store.materialize(start, end)

    def online(self, view: View, *keys: object) -> list[object]:
        """What a read says of the last feature of each key: its value, or why there is none.

        A null is None, what is neither there nor null is the name of its status.
        """
        response = self.store.get_online_features(view.refs(), entity_rows(view, keys))
        return answers(response.proto, list(view.features)[-1])

    def _feature_view(self, view: View) -> tuple[FeatureView, Sequence[Entity]]:
        entities = [
            Entity(name=name, join_keys=[name], value_type=kind.to_value_type())
            for name, kind in view.keys.items()
        ]
        fields = {**view.keys, **view.features}
        declared = FeatureView(
            name=view.name,
            entities=entities,
            ttl=view.ttl,
            schema=[Field(name=name, dtype=kind) for name, kind in fields.items()],
            source=self._source(view),
            tags=dict(view.tags),
        )
        return declared, entities

    def _source(self, view: View) -> DataSource:
        common: dict[str, Any] = {
            "name": f"{view.name}_source",
            "path": str(self.path(view)),
            "timestamp_field": "event_timestamp",
            "created_timestamp_column": view.created or "",
            "field_mapping": dict(view.mapping),
        }
        if self._peer.reads_spark_sources:
            return SparkSource(**common, file_format="parquet")
        return FileSource(**common)


def entity_rows(view: View, keys: Iterable[object]) -> list[dict[str, Any]]:
    """The entity rows of an online read."""
    return [dict(zip(view.keys, _parts(key), strict=True)) for key in keys]


def answers(response: GetOnlineFeaturesResponse, feature_name: str) -> list[object]:
    """The values of one feature in a response, or why there are none."""
    feature = response.results[list(response.metadata.feature_names.val).index(feature_name)]
    read = zip(feature.values, feature.statuses, strict=True)
    return [_answer(value, FieldStatus.Name(status)) for value, status in read]


def _answer(value: Any, status: str) -> object:
    there = status in {"PRESENT", "NULL_VALUE"}
    return feast_value_type_to_python_type(value) if there else status


def _parts(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _arrow(kind: FeastType) -> pa.DataType:
    """The type of a column; Feast knows none for these two."""
    unknown = {Bytes: pa.binary(), Map: pa.map_(pa.string(), pa.string())}
    return unknown.get(kind) or from_feast_to_pyarrow_type(kind)
