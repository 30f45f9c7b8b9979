"""The log of served features, read by Feast as its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast.feature_logging import FeatureServiceLoggingSource, LoggingConfig
from feast.infra.offline_stores.file_source import FileLoggingDestination
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast_project import apply_definitions, make_project

from lockstep.contract.status import FeatureStatus
from lockstep.lake.lake import Lake
from lockstep.settings import Settings
from lockstep.windows.microseconds import microseconds
from serving.feature_log import FeatureLog
from serving.log_tables import FEAST_STATUSES, LogTables
from serving.served_rows import LoggedFeature, LogSchema, ServedRows

if TYPE_CHECKING:
    from feast import FeatureStore

NOW = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
SERVICES = ["fraud_v1", "fraud_v2"]
ARROW = {pa.int64(): "Int64", pa.float64(): "Float64"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_project(tmp_path_factory.mktemp("logged"))


@pytest.fixture(scope="module")
def store(settings: Settings) -> FeatureStore:
    return apply_definitions(settings)


def feast_schema(store: FeatureStore, service: str) -> pa.Schema:
    source = FeatureServiceLoggingSource(store.get_feature_service(service), store.project)
    return source.get_schema(store.registry)


def log_schema(store: FeatureStore, service: str) -> LogSchema:
    """What the server makes of the definitions, in Feast's order."""
    features = tuple(
        LoggedFeature(
            feature.name,
            column=f"{projection.name_to_use()}__{feature.name}",
            type=str(feature.dtype),
        )
        for projection in store.get_feature_service(service).feature_view_projections
        for feature in projection.features
    )
    columns = tuple(
        (field.name, ARROW[field.type])
        for field in feast_schema(store, service)
        if not field.name.endswith(("__timestamp", "__status")) and field.name[:2] != "__"
    )
    return LogSchema(
        "fraud",
        service,
        ("customer_id", "terminal_id"),
        ("amount_cents", "transaction_time_us"),
        features,
        columns=columns,
    )


def served(schema: LogSchema, *ids: str) -> ServedRows:
    shape = (len(ids), len(schema.features))
    numbers = np.arange(shape[0] * shape[1], dtype=float).reshape(shape)
    numbers[:, ::3] = np.nan
    codes = np.full(shape, list(FeatureStatus).index(FeatureStatus.PRESENT), np.uint8)
    codes[:, ::3] = list(FeatureStatus).index(FeatureStatus.NULL)
    times = [microseconds(NOW) + place for place in range(len(ids))]
    return ServedRows(
        schema=schema,
        model_name="fraud",
        model_version=3,
        alias="champion",
        fingerprint="f",
        threshold=0.5,
        request_ids=ids,
        t_us=times,
        logged_us=microseconds(NOW),
        entity_ids={"customer_id": range(len(ids)), "terminal_id": range(len(ids))},
        request_values={"amount_cents": [100] * len(ids), "transaction_time_us": times},
        values=numbers,
        codes=codes,
        ages=np.zeros(shape),
        event_us=np.full(shape, times[0] - 1),
        scores=np.linspace(0, 1, len(ids)),
        decisions=["allow"] * len(ids),
    )


@pytest.mark.parametrize("service", SERVICES)
def test_the_schema_is_the_one_that_feast_declares(store: FeatureStore, service: str) -> None:
    schema = log_schema(store, service)
    tables = LogTables.of(schema, [served(schema, "a", "b")])
    assert tables.features.schema.equals(feast_schema(store, service))


@pytest.mark.parametrize("service", SERVICES)
def test_the_files_have_the_schema_of_those_that_feast_writes(
    store: FeatureStore, service: str, tmp_path: Path
) -> None:
    """Parquet has no whole seconds: Feast's own files have milliseconds there too."""
    lake = Lake.at(tmp_path / "lake")
    log = FeatureLog(lake)
    log.put(served(log_schema(store, service), "a"))
    log.close(60)
    (key,) = lake.list("fraud/served_features/")
    pq.write_table(feast_schema(store, service).empty_table(), tmp_path / "theirs.parquet")
    ours = pq.read_schema(lake.address(key))
    assert ours.equals(pq.read_schema(tmp_path / "theirs.parquet"))


def test_feast_reads_the_logs_back(store: FeatureStore, settings: Settings) -> None:
    lake, schema = Lake.at(settings.lake), log_schema(store, "fraud_v1")
    log = FeatureLog(lake)
    log.put(served(schema, "a", "b", "c"))
    log.close(60)
    service = store.get_feature_service("fraud_v1")
    service.logging_config = LoggingConfig(
        FileLoggingDestination(path="fraud/served_features/fraud_v1")
    )
    job = store._get_provider().retrieve_feature_service_logs(
        service, NOW - timedelta(hours=1), NOW + timedelta(hours=1), store.config, store.registry
    )
    read: Any = pl.from_arrow(job.to_arrow())
    written: Any = pl.from_arrow(LogTables.of(schema, [served(schema, "a", "b", "c")]).features)
    times = pl.selectors.ends_with("__timestamp") - pl.selectors.by_name("__log_timestamp")
    assert set(read.columns) == set(feast_schema(store, "fraud_v1").names)
    assert read.select(written.columns).equals(
        written.with_columns(times.cast(pl.Datetime("ms", "UTC")))
    )


def test_predictions_join_their_features_by_request(store: FeatureStore, lake: Lake) -> None:
    """On a local lake and on S3."""
    schema = log_schema(store, "fraud_v2")
    log = FeatureLog(lake)
    for ids in ("ab", "c"):
        log.put(served(schema, *ids))
    log.close(60)
    features, predictions = (
        lake.scan_parquet(lake.list(f"fraud/{folder}/"))
        for folder in ("served_features/fraud_v2", "predictions")
    )
    joined = predictions.join(
        features, left_on="request_id", right_on="__request_id", validate="1:1"
    ).sort("request_id")
    rows = joined.collect()
    assert rows["request_id"].to_list() == ["a", "b", "c"]
    assert rows["customer_id"].to_list() == [0, 1, 0]
    assert rows["score"].to_list() == [0.0, 1.0, 0.0]
    statuses = rows.explode("statuses").unnest("statuses")
    assert statuses["feature"].to_list() == [feature.name for feature in schema.features] * 3


def test_the_numbers_of_the_statuses_are_those_of_feast() -> None:
    assert {status: FieldStatus.Name(n) for status, n in FEAST_STATUSES.items()} == {
        FeatureStatus.NOT_FOUND: "NOT_FOUND",
        FeatureStatus.FUTURE: "INVALID",
        FeatureStatus.EXPIRED: "OUTSIDE_MAX_AGE",
        FeatureStatus.STALE: "OUTSIDE_MAX_AGE",
        FeatureStatus.NULL: "NULL_VALUE",
        FeatureStatus.PRESENT: "PRESENT",
    }
