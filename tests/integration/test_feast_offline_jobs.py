"""Jobs of the offline store: statuses, receipts, batches, logs and pushed rows."""

from __future__ import annotations

import json
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
    RepoConfig,
    ValueType,
)
from feast.data_source import PushMode
from feast.feature_logging import LoggingConfig
from feast.infra.offline_stores.file_source import (
    FileLoggingDestination,
    SavedDatasetFileStorage,
)
from feast.types import Int64
from feast_project import HOUR, STEPS, T0, Step, make_project, write_steps

from feature_repo import feast_objects
from feature_repo.store import open_feature_store
from lockstep.settings import Settings
from lockstep.stores.errors import EntityFrameError, SourceError
from lockstep.stores.join_receipt import JoinReceipt, ViewAccount

COUNT, TERMINAL_COUNT = "customer_tx_count_1d", "terminal_verdict_count_1d"
REFS = [f"customer_windows:{COUNT}", f"terminal_windows:{TERMINAL_COUNT}"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("LOCKSTEP_HOME", raising=False)
    settings = make_project(tmp_path)
    write_steps(settings)
    return settings


@pytest.fixture
def fraud(project: Settings) -> FeatureStore:
    store = open_feature_store(project)
    store.apply([getattr(feast_objects, name) for name in feast_objects.__all__])
    return store


def entities(*rows: tuple[int | None, int | None, float]) -> pl.DataFrame:
    """Customer, terminal and hours after T0."""
    customers, terminals, hours = zip(*rows, strict=True)
    at = pl.Series([T0 + h * HOUR for h in hours], dtype=pl.Datetime("us", "UTC"))
    keys = {"customer_id": customers, "terminal_id": terminals}
    return pl.DataFrame({**keys, "event_timestamp": at})


ASKED = entities((2, 1, 71), (1, 2, 31), (9, 1, 150), (2, 3, 3.5))


def test_statuses_stand_beside_their_features(fraud: FeatureStore) -> None:
    rows = fraud.get_historical_features(ASKED, REFS).with_statuses().to_polars()
    assert rows.columns[3:] == [
        COUNT,
        f"{COUNT}__status",
        TERMINAL_COUNT,
        f"{TERMINAL_COUNT}__status",
    ]
    assert rows[COUNT].to_list() == [40, 20, None, None]
    assert rows[f"{COUNT}__status"].to_list() == ["PRESENT", "PRESENT", "NOT_FOUND", "NULL"]
    assert rows[f"{TERMINAL_COUNT}__status"].to_list() == [
        "PRESENT",
        "NULL",
        "STALE",
        "NOT_FOUND",
    ]


def test_the_receipt_tells_nulls_by_cause_and_verifies_its_rows(fraud: FeatureStore) -> None:
    job = fraud.get_historical_features(ASKED, REFS)
    rows = job.to_polars()
    receipt = job.receipt_of(rows)
    assert receipt.views == {
        "customer_windows": ViewAccount(rows=4, not_found=1, late=1, nulls={COUNT: 1}),
        "terminal_windows": ViewAccount(rows=4, not_found=1, late=1, nulls={TERMINAL_COUNT: 1}),
    }
    assert (receipt.rows, receipt.excludes_created_after, receipt.warnings) == (4, True, ())
    assert receipt.verifies(rows)
    assert receipt.verifies(pl.DataFrame(job.to_arrow()))
    assert not receipt.verifies(rows.with_columns(pl.col(COUNT) + 1))
    assert not receipt.verifies(rows.reverse())


def test_created_times_of_an_import_are_warned_of(project: Settings, fraud: FeatureStore) -> None:
    """As `feast init` stamps the past as created now: all of the history would be hidden."""
    write_steps(project, customers=[Step(s.key, s.at, s.value, 1000) for s in STEPS])
    job = fraud.get_historical_features(ASKED, REFS)
    (warning,) = job.receipt_of(job.to_polars()).warnings
    assert warning.startswith("customer_windows: 3 of 4 rows could not see their newest step")


@pytest.mark.parametrize("path", ["datasets/asked.parquet", "datasets/asked"])
def test_a_saved_dataset_has_a_receipt_that_verifies(
    fraud: FeatureStore, project: Settings, path: str
) -> None:
    service = fraud.get_feature_service("fraud_v1")
    asked = ASKED.with_columns(amount_cents=pl.lit(100), transaction_time_us=pl.lit(0))
    job = fraud.get_historical_features(asked, service)
    job.persist(SavedDatasetFileStorage(path=path))
    folder = Path(project.lake)
    told = json.loads((folder / "datasets" / "asked.receipt.json").read_text())
    stored = pl.read_parquet(folder / path)
    assert stored.equals(job.to_polars())
    views = {name: ViewAccount(**account) for name, account in told.pop("views").items()}
    assert told.pop("warnings") == []
    assert JoinReceipt(**told, views=views).verifies(stored)


def test_entities_may_be_the_path_of_parquet(
    fraud: FeatureStore, project: Settings, tmp_path: Path
) -> None:
    expected = fraud.get_historical_features(ASKED, REFS).to_arrow()
    (Path(project.lake) / "asked").mkdir()
    ASKED.write_parquet(Path(project.lake) / "asked" / "rows.parquet")
    ASKED.write_parquet(tmp_path / "rows.parquet")
    for path in ("asked", str(tmp_path / "rows.parquet"), f"file://{tmp_path}/rows.parquet"):
        assert fraud.get_historical_features(path, REFS).to_arrow().equals(expected)


def test_request_data_is_asked_of_frames_of_every_kind(fraud: FeatureStore) -> None:
    service = fraud.get_feature_service("fraud_v1")
    for frame in (ASKED, ASKED.to_arrow()):
        with pytest.raises(EntityFrameError, match=r"lacks the request data \['amount_cents', 't"):
            fraud.get_historical_features(frame, service)
    wrong = ASKED.with_columns(amount_cents=pl.lit("1"), transaction_time_us=pl.lit(0))
    with pytest.raises(EntityFrameError, match="'amount_cents' .* is String, expected Int64"):
        fraud.get_historical_features(wrong, service)


def test_little_memory_gives_the_same_rows(fraud: FeatureStore, project: Settings) -> None:
    """Slices of time, and a dataset that goes over the disk since its rows are in no order."""
    service = fraud.get_feature_service("fraud_v1")
    asked = ASKED.with_columns(amount_cents=pl.lit(100), transaction_time_us=pl.lit(0))
    job = fraud.get_historical_features(asked, service)
    expected = job.to_polars()
    job._join.__dict__["memory_mb"] = 0
    assert job.to_polars().equals(expected)
    job.persist(SavedDatasetFileStorage(path="datasets/small.parquet"))
    assert pl.read_parquet(Path(project.lake) / "datasets/small.parquet").equals(expected)


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
    config = RepoConfig(
        project="theirs",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={"type": "lockstep.stores.offline.LockstepOfflineStore"},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    store.apply([card, view, service])
    return store


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
