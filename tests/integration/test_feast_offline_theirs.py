"""Historical features of somebody else's repository: their parquet, keys, names and times."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Int64, String
from feast_project import HOUR, T0
from joined import counts, joined
from their_project import their_store

from lockstep.stores.errors import SourceError

SCHEMA = [
    Field(name="shop", dtype=String),
    Field(name="card", dtype=Int64),
    Field(name="n", dtype=Int64),
]


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
        name="shops", entities=[shop, card], ttl=2 * HOUR, schema=SCHEMA, source=source
    )
    store = their_store(tmp_path, shop, card, view)
    frame = shop_frame(("1", 23, 1), ("12", 3, 2), ("1", 23, 3), ("1", 23, 3.01), ("12", 3, 1.9))
    assert counts(joined(store, frame, ["shops:n"]), "n") == [7, 9, 7, None, None]
    alone = [counts(joined(store, row, ["shops:n"]), "n") for row in frame.iter_slices(1)]
    assert alone == [[7], [9], [7], [None], [None]]
    excluded = joined(store, frame, ["shops:n"], filter_by_created_timestamp=True)
    assert counts(excluded, "n") == [7, 8, 7, None, None]
    strict = their_store(tmp_path, shop, card, view, offline={"exclude_created_after": True})
    assert counts(joined(strict, frame, ["shops:n"]), "n") == [7, 8, 7, None, None]


def test_keys_under_other_names_and_the_same_view_twice(tmp_path: Path) -> None:
    shop, card, source = shops(tmp_path)
    view = FeatureView(name="shops", entities=[shop, card], ttl=timedelta(0), source=source)
    store = their_store(tmp_path, shop, card, view)
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
    view = FeatureView(name="shops", entities=[shop, card], schema=SCHEMA, source=source)
    store = their_store(tmp_path, shop, card, view)
    with pytest.raises(SourceError, match=r"column 'N' of .*shops.parquet is String"):
        joined(store, shop_frame(("1", 23, 1)), ["shops:n"])


def test_pulls_take_the_columns_as_they_are(tmp_path: Path) -> None:
    shop, card, source = shops(tmp_path)
    store = their_store(tmp_path, shop, card)
    offline = store._get_provider().offline_store
    arguments = (store.config, source, ["shop", "card"], ["N"], "ts", "made")
    latest = offline.pull_latest_from_table_or_query(*arguments, T0, T0 + 2 * HOUR).to_arrow()
    assert sorted(counts(latest, "N")) == [7, 9]
    every = offline.pull_all_from_table_or_query(*arguments, T0 + 2 * HOUR, None).to_arrow()
    assert counts(every, "N") == [8, 9]
