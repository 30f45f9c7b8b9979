"""What the offline store adds to tables: rows that are pushed, and logs of what was served."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    ValueType,
)
from feast.data_source import PushMode
from feast.feature_logging import LoggingConfig
from feast.infra.offline_stores.file_source import FileLoggingDestination
from feast.types import Int64
from feast_project import HOUR, T0
from their_project import their_store

from lockstep.stores.errors import SourceError


def theirs(folder: Path) -> FeatureStore:
    """A repository with a view over one file, to which rows can be pushed, and a logged service."""
    card = Entity(name="card", join_keys=["card"], value_type=ValueType.INT64)
    batch = FileSource(name="file", path="cards.parquet", timestamp_field="event_timestamp")
    schema = [Field(name="card", dtype=Int64), Field(name="n", dtype=Int64)]
    view = FeatureView(
        name="cards",
        entities=[card],
        ttl=timedelta(0),
        schema=schema,
        source=PushSource(name="push", batch_source=batch),
    )
    logs = FileLoggingDestination(path="logs", partition_by=["__log_date"])
    service = FeatureService(name="cards_v1", features=[view], logging_config=LoggingConfig(logs))
    pl.DataFrame({"card": [1], "event_timestamp": [T0], "n": [5]}).write_parquet(
        folder / "cards.parquet"
    )
    return their_store(folder, card, view, service)


def test_pushed_rows_are_seen_by_the_next_join(tmp_path: Path) -> None:
    store = theirs(tmp_path)
    pushed = pl.DataFrame({"card": [1, 2], "event_timestamp": [T0 + HOUR, T0], "n": [6, 7]})
    store.push("push", pushed.to_pandas(), to=PushMode.OFFLINE)
    asked = pl.DataFrame({"card": [1, 2, 1], "event_timestamp": [T0, T0, T0 + HOUR]})
    assert store.get_historical_features(asked, ["cards:n"]).to_polars()["n"].to_list() == [5, 7, 6]


def test_rows_that_cannot_be_pushed_change_nothing(tmp_path: Path) -> None:
    store = theirs(tmp_path)
    before = (tmp_path / "cards.parquet").read_bytes()
    view = store.get_feature_view("cards")
    writer = type(store._get_provider().offline_store).offline_write_batch
    for rows, message in (
        (pa.table({"card": [1], "n": [1]}), r"lacks \['event_timestamp'\]"),
        (pa.table({"card": [1], "event_timestamp": [T0], "n": ["x"]}), "do not fit the columns"),
    ):
        with pytest.raises(SourceError, match=message):
            writer(store.config, view, rows, None)
    assert (tmp_path / "cards.parquet").read_bytes() == before


def test_a_table_that_is_built_takes_no_pushed_rows(fraud: FeatureStore) -> None:
    view = fraud.get_feature_view("customer_windows")
    writer = type(fraud._get_provider().offline_store).offline_write_batch
    with pytest.raises(SourceError, match="built or ingested as a whole"):
        writer(fraud.config, view, pa.table({"customer_id": [1]}), None)


def test_logs_are_added_once_to_their_days(tmp_path: Path) -> None:
    store = theirs(tmp_path)
    service = store.get_feature_service("cards_v1")
    days = [date(2018, 4, 1), date(2018, 4, 2), date(2018, 4, 1)]
    for _ in range(2):
        store.write_logged_features(logs(days), service)
    store.write_logged_features(logs(days[:1]), service)
    found = pl.read_parquet(tmp_path / "logs" / "**" / "*.parquet", hive_partitioning=False)
    assert sorted(found["__log_date"].to_list()) == [days[0], days[0], days[0], days[1]]
    assert {part.name for part in (tmp_path / "logs").iterdir()} == {
        "__log_date=2018-04-01",
        "__log_date=2018-04-02",
    }
    with pytest.raises(SourceError, match="lacks"):
        store.write_logged_features(logs(days).drop_columns(["card"]), service)


def logs(days: list[date]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "card": [1] * len(days),
        "cards__n": list(range(len(days))),
        "cards__n__timestamp": [T0] * len(days),
        "cards__n__status": [2] * len(days),
        "__log_timestamp": [T0] * len(days),
        "__log_date": days,
        "__request_id": ["r"] * len(days),
    }
    return pa.table(columns)
