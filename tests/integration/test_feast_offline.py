"""Historical features through Feast's own interface, over a lake written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from feast import FeatureStore
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast_project import (
    COUNT,
    HOUR,
    REFS,
    T0,
    TERMINAL_COUNT,
    Step,
    apply_definitions,
    entities,
    make_project,
    write_steps,
)
from joined import counts, joined

from lockstep.settings import Settings
from lockstep.stores.errors import EntityFrameError, ReadPlanError, SourceError


def test_one_row_out_per_row_in_in_order(fraud: FeatureStore) -> None:
    frame = entities((2, 1, 99), (1, 2, 1.5), (1, 2, 1.5), (9, 1, 99), (None, 1, 99), (1, 9, 0))
    table = joined(fraud, frame)
    assert table.column_names == [*frame.columns, COUNT, TERMINAL_COUNT]
    assert pl.from_arrow(table.select(frame.columns)).equals(frame)  # type: ignore[union-attr]
    assert counts(table) == [40, 10, 10, None, None, None]
    assert counts(table, TERMINAL_COUNT) == [20, None, None, 20, 20, None]


def test_types_are_those_that_the_view_declares(fraud: FeatureStore) -> None:
    table = joined(fraud, entities((1, 9, 99)), [*REFS, "terminal_windows:terminal_fraud_rate_1d"])
    assert table.schema.field(COUNT).type == pa.int64()
    assert table.schema.field(TERMINAL_COUNT).type == pa.int64()
    assert table.schema.field("terminal_fraud_rate_1d").type == pa.float64()
    assert table.schema.field("event_timestamp").type == pa.timestamp("us", "UTC")


@pytest.mark.parametrize("convert", [pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_pandas_and_arrow_frames_get_the_same_rows(
    fraud: FeatureStore, convert: Callable[[pl.DataFrame], object]
) -> None:
    frame = entities((2, 1, 99), (1, 2, 1.5), (9, 1, 99))
    assert joined(fraud, convert(frame)).equals(joined(fraud, frame))


def test_to_df_has_the_same_values(fraud: FeatureStore) -> None:
    frame = entities((2, 1, 99), (1, 2, 31))
    job = fraud.get_historical_features(entity_df=frame, features=REFS)
    assert job.to_df()[COUNT].tolist() == counts(job.to_arrow()) == [40, 20]


def test_what_was_created_after_t_is_not_seen_but_may_be_asked_for(fraud: FeatureStore) -> None:
    early = entities((2, 1, 4), (2, 1, 49.9), (2, 1, 50))
    assert counts(joined(fraud, early)) == [None, None, 40]
    known = early.with_columns(known_as_of=pl.lit(T0 + 50 * HOUR))
    assert counts(joined(fraud, known)) == [40, 40, 40]
    with pytest.raises(EntityFrameError, match="known_as_of is before event_timestamp in 1 rows"):
        joined(fraud, early.with_columns(known_as_of=pl.lit(T0 + 49.95 * HOUR)))


def test_full_names_carry_the_view(fraud: FeatureStore) -> None:
    table = joined(fraud, entities((1, 2, 99)), full_feature_names=True)
    assert table.column_names[-2:] == [
        f"customer_windows__{COUNT}",
        f"terminal_windows__{TERMINAL_COUNT}",
    ]


def test_a_feature_service_with_its_on_demand_view(fraud: FeatureStore) -> None:
    sunday_six = int(T0.timestamp() + 6 * 3600) * 1_000_000
    request = {"amount_cents": [100, 100], "transaction_time_us": [sunday_six] * 2}
    frame = entities((1, 1, 6), (9, 1, 6), **request)
    service = fraud.get_feature_service("fraud_v1")
    table = fraud.get_historical_features(entity_df=frame, features=service).to_arrow()
    assert counts(table, "tx_count_1d") == [11, 1]
    assert counts(table, "tx_amount_to_mean_30d") == [20.0, None]
    assert counts(table, "tx_is_weekend") == counts(table, "tx_is_night") == [1, 1]
    assert table.schema.field("tx_count_1d").type == pa.int64()


def test_a_saved_dataset_is_kept_in_the_lake_and_read_back(
    fraud: FeatureStore, handwritten: Settings
) -> None:
    frame = entities((2, 1, 99), (1, 2, 31))
    storage = SavedDatasetFileStorage(path="datasets/training.parquet")
    job = fraud.get_historical_features(entity_df=frame, features=REFS)
    fraud.create_saved_dataset(from_=job, name="training", storage=storage)
    assert (Path(handwritten.lake) / "datasets" / "training.parquet").is_file()
    assert sorted(counts(fraud.get_saved_dataset("training").to_arrow())) == [20, 40]
    other = fraud.get_historical_features(entity_df=frame.head(1), features=REFS)
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        other.persist(storage)
    assert sorted(counts(fraud.get_saved_dataset("training").to_arrow())) == [20, 40]
    other.persist(storage, allow_overwrite=True)
    assert counts(fraud.get_saved_dataset("training").to_arrow()) == [40]


def test_a_dataset_in_a_folder_replaces_all_that_was_there(
    fraud: FeatureStore, handwritten: Settings
) -> None:
    folder = Path(handwritten.lake) / "datasets" / "training"
    folder.mkdir(parents=True)
    pl.DataFrame({"old": [1]}).write_parquet(folder / "old.parquet")
    job = fraud.get_historical_features(entity_df=entities((2, 1, 99)), features=REFS)
    job.persist(SavedDatasetFileStorage(path="datasets/training"), allow_overwrite=True)
    assert pl.read_parquet(folder / "*.parquet").get_column(COUNT).to_list() == [40]


def test_lockstep_home_moves_the_lake(
    fraud: FeatureStore, handwritten: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_HOME", str(tmp_path / "home"))
    moved = Settings(project_dir=handwritten.project_dir)
    write_steps(moved, customers=[Step(1, 1, 77)])
    assert counts(joined(fraud, entities((1, 2, 99)))) == [77]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (entities((1, 1, 1)).drop("terminal_id"), r"lacks \['terminal_id'\]"),
        (entities((1, 1, 1)).drop("event_timestamp"), r"lacks \['event_timestamp'\]"),
        (entities((1, 1, 1)).cast({"customer_id": pl.String}), "String, expected Int64"),
        (entities((1, 1, 1), **{COUNT: [1]}), "columns named like features"),
        ("SELECT 1", "no parquet at .*SELECT 1 .* SQL is not read"),
        (None, "is NoneType"),
    ],
)
def test_a_frame_that_cannot_be_joined_is_refused(
    fraud: FeatureStore, frame: object, message: str
) -> None:
    with pytest.raises(EntityFrameError, match=message):
        fraud.get_historical_features(entity_df=frame, features=REFS)


def test_an_empty_frame_gives_an_empty_table_of_the_right_types(fraud: FeatureStore) -> None:
    table = joined(fraud, entities((1, 1, 1)).clear())
    assert table.num_rows == 0
    assert table.schema.field(COUNT).type == pa.int64()


def test_a_table_that_was_not_built_is_named(tmp_path: Path) -> None:
    other = apply_definitions(make_project(tmp_path / "empty"))
    with pytest.raises(SourceError, match=r"fraud/customer_windows; run `lockstep build`"):
        joined(other, entities((1, 1, 1)))


def test_two_features_of_one_name_are_refused(fraud: FeatureStore) -> None:
    views = [fraud.get_feature_view(name) for name in ("customer_windows", "terminal_windows")]
    refs = [f"{view.name}:valid_until_us" for view in views]
    asked = (views, refs, entities((1, 1, 1)), fraud.registry, fraud.project, False)
    with pytest.raises(ReadPlanError, match="valid_until_us"):
        fraud._get_provider().get_historical_features(fraud.config, *asked)
