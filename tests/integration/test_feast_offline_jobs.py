"""Jobs of the offline store: statuses, receipts, saved datasets, frames of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from feast import FeatureStore
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast_project import COUNT, REFS, STEPS, TERMINAL_COUNT, Step, entities, write_steps

from lockstep.settings import Settings
from lockstep.stores.errors import EntityFrameError
from lockstep.stores.join_receipt import JoinReceipt, ViewAccount

ASKED = entities((2, 1, 71), (1, 2, 31), (9, 1, 150), (2, 3, 3.5))
REQUESTED = ASKED.with_columns(amount_cents=pl.lit(100), transaction_time_us=pl.lit(0))


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


def test_created_times_of_an_import_are_warned_of(
    handwritten: Settings, fraud: FeatureStore
) -> None:
    """As `feast init` stamps the past as created now: all of the history would be hidden."""
    write_steps(handwritten, customers=[Step(s.key, s.at, s.value, 1000) for s in STEPS])
    job = fraud.get_historical_features(ASKED, REFS)
    (warning,) = job.receipt_of(job.to_polars()).warnings
    assert warning.startswith("customer_windows: 3 of 4 rows could not see their newest step")


@pytest.mark.parametrize("path", ["datasets/asked.parquet", "datasets/asked"])
def test_a_saved_dataset_has_a_receipt_that_verifies(
    fraud: FeatureStore, handwritten: Settings, path: str
) -> None:
    service = fraud.get_feature_service("fraud_v1")
    job = fraud.get_historical_features(REQUESTED, service)
    job.persist(SavedDatasetFileStorage(path=path))
    folder = Path(handwritten.lake)
    told = json.loads((folder / "datasets" / "asked.receipt.json").read_text())
    stored = pl.read_parquet(folder / path)
    assert stored.equals(job.to_polars())
    views = {name: ViewAccount(**account) for name, account in told.pop("views").items()}
    assert told.pop("warnings") == []
    assert JoinReceipt(**told, views=views).verifies(stored)


def test_entities_may_be_the_path_of_parquet(
    fraud: FeatureStore, handwritten: Settings, tmp_path: Path
) -> None:
    expected = fraud.get_historical_features(ASKED, REFS).to_arrow()
    (Path(handwritten.lake) / "asked").mkdir()
    ASKED.write_parquet(Path(handwritten.lake) / "asked" / "rows.parquet")
    ASKED.write_parquet(tmp_path / "rows.parquet")
    for path in ("asked", str(tmp_path / "rows.parquet"), f"file://{tmp_path}/rows.parquet"):
        assert fraud.get_historical_features(path, REFS).to_arrow().equals(expected)


def test_request_data_is_asked_of_frames_of_every_kind(fraud: FeatureStore) -> None:
    service = fraud.get_feature_service("fraud_v1")
    for frame in (ASKED, ASKED.to_arrow()):
        with pytest.raises(EntityFrameError, match=r"lacks the request data \['amount_cents', 't"):
            fraud.get_historical_features(frame, service)
    wrong = REQUESTED.with_columns(amount_cents=pl.lit("1"))
    with pytest.raises(EntityFrameError, match="'amount_cents' .* is String, expected Int64"):
        fraud.get_historical_features(wrong, service)


def test_little_memory_gives_the_same_rows(fraud: FeatureStore, handwritten: Settings) -> None:
    """Slices of time, and a dataset that goes over the disk since its rows are in no order."""
    service = fraud.get_feature_service("fraud_v1")
    job = fraud.get_historical_features(REQUESTED, service)
    expected = job.to_polars()
    job._join.__dict__["memory_mb"] = 0
    assert job.to_polars().equals(expected)
    job.persist(SavedDatasetFileStorage(path="datasets/small.parquet"))
    assert pl.read_parquet(Path(handwritten.lake) / "datasets/small.parquet").equals(expected)
