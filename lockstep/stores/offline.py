"""The offline store: point-in-time joins in Polars over the lake's parquet.

    offline_store:
      type: lockstep.stores.offline.LockstepOfflineStore
      exclude_created_after: true      # off by default, as in Feast
      lake: ../.lockstep/lake          # default: this repository, as in Feast
      memory_mb: 2000                  # what steps and joined rows may take at once
      engine: local                    # or spark, for steps that one machine does not hold

Exactly one row out per entity row, in order. Entities are pandas, Arrow or Polars, or the
path of parquet. Rows created after T are not seen where `exclude_created_after` or
`filter_by_created_timestamp` says so; an entity frame may move that limit with a column
`known_as_of` (not before event_timestamp): what would be known of T later on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow as pa
from feast import FeatureView, OnDemandFeatureView, RepoConfig
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.offline_stores.file_source import FileLoggingDestination
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from feast.types import from_value_type
from feast.utils import _get_requested_feature_views_to_features_dict
from pydantic import PositiveInt

from lockstep.stores.entity_frame import entity_frame, request_columns
from lockstep.stores.errors import EntityFrameError, ReadPlanError, SourceError
from lockstep.stores.historical_job import HistoricalJob, joined_metadata
from lockstep.stores.historical_join import HistoricalJoin
from lockstep.stores.locations import lake_of
from lockstep.stores.newest import newest_per_key
from lockstep.stores.offline_writes import append_logs, append_rows
from lockstep.stores.retrieval_job import LockstepRetrievalJob, arrow_table
from lockstep.stores.source_table import SourceTable
from lockstep.stores.view_join import ViewJoin
from lockstep.stores.view_table import ViewTable

logger = logging.getLogger(__name__)


class LockstepOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast: no types
    """The settings of `offline_store` in feature_store.yaml."""

    type: str = "lockstep.stores.offline.LockstepOfflineStore"
    exclude_created_after: bool = False
    lake: str | None = None
    memory_mb: PositiveInt = 2000
    engine: Literal["local", "spark"] = "local"


class LockstepOfflineStore(OfflineStore):  # type: ignore[misc]  # Feast ships no types
    """Feast's offline store over parquet, on S3 or not: a file, a folder, a table of the lake."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: object,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **ranges: datetime,
    ) -> RetrievalJob:
        """A job whose rows are the entities' with the features that were known at each T.

        Raises:
            EntityFrameError: not a table, or a key or time is absent or of another type.
            ReadPlanError: two views have a feature of one name; ask for full names.
        """
        entities = entity_frame(entity_df, lake=lake_of(config))
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        joins = _view_joins(config, feature_views, feature_refs, on_demand, full_feature_names)
        _check(entities, joins, on_demand)
        exclude = filter_by_created_timestamp or config.offline_store.exclude_created_after
        join = _engine(config)(
            entities, joins, exclude=exclude, memory_mb=config.offline_store.memory_mb
        )
        return HistoricalJob(
            join,
            lake=lake_of(config),
            full_feature_names=full_feature_names,
            on_demand=on_demand,
            metadata=joined_metadata(entities, feature_refs),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """A job whose rows are the newest of each key from start to end, both included."""
        table = SourceTable.of(data_source, lake_of(config))
        columns = _columns(
            join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column
        )

        def evaluate() -> pl.DataFrame:
            rows = table.scan_between(columns, timestamp_field, start_date, end_date)
            newest = newest_per_key(
                rows, join_key_columns, event=timestamp_field, created=created_timestamp_column
            )
            if not join_key_columns:
                newest = newest.with_columns(pl.lit(DUMMY_ENTITY_VAL).alias(DUMMY_ENTITY_ID))
            return table.collect(newest)

        return LockstepRetrievalJob(evaluate, lake=lake_of(config))

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """A job whose rows are all those from start to end, both included, in table order."""
        table = SourceTable.of(data_source, lake_of(config))
        columns = _columns(
            join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column
        )

        def evaluate() -> pl.DataFrame:
            return table.collect(table.scan_between(columns, timestamp_field, start_date, end_date))

        return LockstepRetrievalJob(evaluate, lake=lake_of(config))

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Adds the logs to the folder of their `FileLoggingDestination`.

        Raises:
            SourceError: another kind of destination, or logs of other columns.
        """
        destination = logging_config.destination
        if not isinstance(destination, FileLoggingDestination):
            raise SourceError.unsupported(type(destination).__name__, "FileLoggingDestination")
        append_logs(
            SourceTable.of(destination.to_data_source(), lake_of(config)),
            data,
            source.get_schema(registry),
            partition_by=destination.partition_by or (),
        )

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Adds pushed rows to the table of the view.

        Raises:
            SourceError: rows of other columns, or a table that is built or ingested.
        """
        append_rows(SourceTable.of(feature_view.batch_source, lake_of(config)), table)
        if progress:
            progress(table.num_rows)

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """Checks a source as far as it can be: a table may be built after `feast apply`.

        Raises:
            SourceError: not parquet, unreadable, or without its timestamp column.
        """
        table = SourceTable.of(data_source, lake_of(config))
        if not table.exists():
            logger.warning("%s is not there yet; build it before it is read", table.address)
            return
        mapped = (data_source.field_mapping or {}).values()
        missing = {data_source.timestamp_field} - {"", *table.schema, *mapped}
        if missing:
            raise SourceError.missing_columns(table.address, missing, table.schema)

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """The columns and their Arrow types, for views that declare no schema."""
        table = SourceTable.of(data_source, lake_of(config))
        schema = arrow_table(table.schema.to_frame()).schema
        return [(field.name, str(field.type)) for field in schema]


def _engine(config: RepoConfig) -> type[HistoricalJoin]:
    if config.offline_store.engine == "local":
        return HistoricalJoin
    from lockstep.stores.spark_join import SparkJoin

    return SparkJoin


def _view_joins(
    config: RepoConfig,
    feature_views: Sequence[FeatureView],
    feature_refs: Sequence[str],
    on_demand: Sequence[OnDemandFeatureView],
    full_feature_names: bool,
) -> list[ViewJoin]:
    requested, _ = _get_requested_feature_views_to_features_dict(
        feature_refs, feature_views, on_demand
    )
    lake = lake_of(config)
    return [
        ViewJoin(ViewTable(view, lake), tuple(dict.fromkeys(features)), full_feature_names)
        for view, features in requested.items()
    ]


def _check(
    entities: pl.DataFrame, joins: Sequence[ViewJoin], on_demand: Sequence[OnDemandFeatureView]
) -> None:
    owners: dict[str, str] = {}
    for join in joins:
        join.keys(entities)
        for column in join.columns.values():
            if column in owners:
                raise ReadPlanError.name_clash(column, [owners[column], join.table.view.name])
            owners[column] = join.table.view.name
    taken = owners.keys() & set(entities.columns)
    if taken:
        raise EntityFrameError.name_taken(taken)
    # Feast itself looks for these in pandas frames only.
    for view in on_demand:
        schema = view.get_request_data_schema()
        request_columns(entities, {name: from_value_type(kind) for name, kind in schema.items()})


def _columns(
    keys: Sequence[str], features: Sequence[str], timestamp: str, created: str | None
) -> list[str]:
    return list(dict.fromkeys([*keys, *features, timestamp, *([created] if created else [])]))
