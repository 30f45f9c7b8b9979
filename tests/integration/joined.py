"""Historical features as a table, and one column of it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from feast import FeatureStore
from feast_project import COUNT, REFS


def joined(store: FeatureStore, frame: object, refs: list[str] = REFS, **more: Any) -> pa.Table:
    return store.get_historical_features(entity_df=frame, features=refs, **more).to_arrow()


def counts(table: pa.Table, name: str = COUNT) -> list[int | None]:
    return list(table.column(name).to_pylist())
