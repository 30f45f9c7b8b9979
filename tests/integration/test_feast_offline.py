"""Historical features through Feast's own interface, over a lake written by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from feast import (
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    RepoConfig,
    ValueType,
)
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.types import Int64, String
from feast_project import HOUR, T0, Step, make_project, write_steps

from feature_repo import feast_objects
from feature_repo.store import open_feature_store
from lockstep.settings import Settings
from lockstep.stores.errors import EntityFrameError, ReadPlanError, SourceError

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


def entities(*rows: tuple[int | None, int | None, float], **more: list[Any]) -> pl.DataFrame:
    """Customer, terminal and hours after T0."""
    customers, terminals, hours = zip(*rows, strict=True)
    at = pl.Series([T0 + h * HOUR for h in hours], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {"customer_id": customers, "terminal_id": terminals, "event_timestamp": at, **more}
    )


def joined(store: FeatureStore, frame: object, refs: list[str] = REFS, **more: Any) -> pa.Table:
    return store.get_historical_features(entity_df=frame, features=refs, **more).to_arrow()


def counts(table: pa.Table, name: str = COUNT) -> list[int | None]:
    return list(table.column(name).to_pylist())


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
    fraud: FeatureStore, project: Settings
) -> None:
    frame = entities((2, 1, 99), (1, 2, 31))
    storage = SavedDatasetFileStorage(path="datasets/training.parquet")
    job = fraud.get_historical_features(entity_df=frame, features=REFS)
    fraud.create_saved_dataset(from_=job, name="training", storage=storage)
    assert (Path(project.lake) / "datasets" / "training.parquet").is_file()
    assert sorted(counts(fraud.get_saved_dataset("training").to_arrow())) == [20, 40]
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        job.persist(storage)
    job.persist(storage, allow_overwrite=True)


def test_a_dataset_in_a_folder_replaces_all_that_was_there(
    fraud: FeatureStore, project: Settings
) -> None:
    folder = Path(project.lake) / "datasets" / "training"
    folder.mkdir(parents=True)
    pl.DataFrame({"old": [1]}).write_parquet(folder / "old.parquet")
    job = fraud.get_historical_features(entity_df=entities((2, 1, 99)), features=REFS)
    job.persist(SavedDatasetFileStorage(path="datasets/training"), allow_overwrite=True)
    assert pl.read_parquet(folder / "*.parquet").get_column(COUNT).to_list() == [40]


def test_lockstep_home_moves_the_lake(
    fraud: FeatureStore, project: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_HOME", str(tmp_path / "home"))
    moved = Settings(project_dir=project.project_dir)
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


def test_a_table_that_was_not_built_is_named(fraud: FeatureStore, tmp_path: Path) -> None:
    other = open_feature_store(make_project(tmp_path / "empty"))
    other.apply([getattr(feast_objects, name) for name in feast_objects.__all__])
    with pytest.raises(SourceError, match=r"fraud/customer_windows; run `lockstep build`"):
        joined(other, entities((1, 1, 1)))


def test_two_features_of_one_name_are_refused(fraud: FeatureStore) -> None:
    store, views = fraud, ("customer_windows", "terminal_windows")
    refs = [f"{view}:valid_until_us" for view in views]
    with pytest.raises(ReadPlanError, match="valid_until_us"):
        fraud._get_provider().get_historical_features(
            store.config,
            [store.get_feature_view(view) for view in views],
            refs,
            entities((1, 1, 1)),
            store.registry,
            store.project,
            False,
        )


def drop_in(folder: Path, *objects: Any, **offline: Any) -> FeatureStore:
    """Somebody else's repository, in which only the store's type was changed."""
    config = RepoConfig(
        project="theirs",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store={"type": "lockstep.stores.offline.LockstepOfflineStore", **offline},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    store.apply(list(objects))
    return store


def shops(folder: Path, **rows: list[Any]) -> tuple[Entity, Entity, FileSource]:
    """Their parquet, in nanoseconds without a zone, under column names of its own."""
    at = pl.Series([datetime(2018, 4, 1, h) for h in (1, 2, 2)], dtype=pl.Datetime("ns"))
    made = pl.Series([datetime(2018, 4, 1, h) for h in (1, 2, 9)], dtype=pl.Datetime("ns"))
    data = {"shop": ["1", "12", "12"], "card": [23, 3, 3], "ts": at, "made": made, "N": [7, 8, 9]}
    pl.DataFrame({**data, **rows}).write_parquet(folder / "shops.parquet")
    shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
    card = Entity(name="card", join_keys=["card"], value_type=ValueType.INT64)
    source = FileSource(
        name="shops",
        path="shops.parquet",
        timestamp_field="ts",
        created_timestamp_column="made",
        field_mapping={"N": "n"},
    )
    return shop, card, source


def shop_frame(*rows: tuple[str, int, float]) -> pl.DataFrame:
    names, cards, hours = zip(*rows, strict=True)
    at = [T0 + h * HOUR for h in hours]
    return pl.DataFrame({"shop": names, "card": cards, "event_timestamp": at})


def test_somebody_elses_repository(tmp_path: Path) -> None:
    shop, card, source = shops(tmp_path)
    view = FeatureView(
        name="shops",
        entities=[shop, card],
        ttl=2 * HOUR,
        schema=[Field(name=n, dtype=t) for n, t in (("shop", String), ("card", Int64))]
        + [Field(name="n", dtype=Int64)],
        source=source,
    )
    store = drop_in(tmp_path, shop, card, view)
    frame = shop_frame(("1", 23, 1), ("12", 3, 2), ("1", 23, 3), ("1", 23, 3.01), ("12", 3, 1.9))
    assert counts(joined(store, frame, ["shops:n"]), "n") == [7, 9, 7, None, None]
    alone = [counts(joined(store, row, ["shops:n"]), "n") for row in frame.iter_slices(1)]
    assert alone == [[7], [9], [7], [None], [None]]
    excluded = joined(store, frame, ["shops:n"], filter_by_created_timestamp=True)
    assert counts(excluded, "n") == [7, 8, 7, None, None]
    strict = drop_in(tmp_path, shop, card, view, exclude_created_after=True)
    assert counts(joined(strict, frame, ["shops:n"]), "n") == [7, 8, 7, None, None]


def test_keys_under_other_names_and_the_same_view_twice(tmp_path: Path) -> None:
    shop, card, source = shops(tmp_path)
    view = FeatureView(name="shops", entities=[shop, card], ttl=timedelta(0), source=source)
    store = drop_in(tmp_path, shop, card, view)
    assert [(f.name, f.dtype) for f in store.get_feature_view("shops").features] == [("n", Int64)]
    seller = view.with_name("seller").with_join_key_map({"shop": "seller"})
    frame = shop_frame(("1", 23, 5)).with_columns(seller=pl.lit("12"), card=pl.lit(3))
    provider = store._get_provider()
    views = [store.get_feature_view("shops"), seller]
    job = provider.get_historical_features(
        store.config, views, ["shops:n", "seller:n"], frame, store.registry, "theirs", True
    )
    table = job.to_arrow()
    assert counts(table, "shops__n") == [None]
    assert counts(table, "seller__n") == [9]


def test_a_column_of_another_kind_is_named(tmp_path: Path) -> None:
    shop, card, source = shops(tmp_path, N=["seven", "eight", "nine"])
    schema = [Field(name=n, dtype=t) for n, t in (("shop", String), ("card", Int64))]
    view = FeatureView(
        name="shops",
        entities=[shop, card],
        schema=[*schema, Field(name="n", dtype=Int64)],
        source=source,
    )
    store = drop_in(tmp_path, shop, card, view)
    with pytest.raises(SourceError, match=r"column 'N' of .*shops.parquet is String"):
        joined(store, shop_frame(("1", 23, 1)), ["shops:n"])


def test_pulls_take_the_columns_as_they_are(tmp_path: Path) -> None:
    shop, card, source = shops(tmp_path)
    store = drop_in(tmp_path, shop, card)
    offline = store._get_provider().offline_store
    arguments = (store.config, source, ["shop", "card"], ["N"], "ts", "made")
    latest = offline.pull_latest_from_table_or_query(*arguments, T0, T0 + 2 * HOUR).to_arrow()
    assert sorted(counts(latest, "N")) == [7, 9]
    every = offline.pull_all_from_table_or_query(*arguments, T0 + 2 * HOUR, None).to_arrow()
    assert counts(every, "N") == [8, 9]
