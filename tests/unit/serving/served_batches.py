"""Served rows for tests, and what the two tables of the log must say of them, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import polars as pl

from lockstep.contract.status import FeatureStatus
from lockstep.lake.lake import Lake
from lockstep.stores.feature_vectors import NO_TIME
from lockstep.windows.microseconds import instant_at
from serving.served_rows import LoggedFeature, LogSchema, ServedRows

# 23:59:59 on a day, in microseconds: the next second is another day.
EVENING_US = 1_522_627_199_000_000
FEATURES = (
    LoggedFeature("n", column="cards__n", type="Int64"),
    LoggedFeature("mean", column="cards__mean", type="Float64"),
    LoggedFeature("is_new", column="shops__is_new", type="Bool"),
    LoggedFeature("city", column="shops__city", type="String"),
)
SCHEMA = LogSchema("fraud", "cards_v1", ("card", "shop"), ("cents",), FEATURES)
_FEAST = {"NOT_FOUND": 3, "FUTURE": 0, "EXPIRED": 4, "STALE": 4, "NULL": 2, "PRESENT": 1}

Alias = Literal["champion", "challenger"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One feature of one row; None is null, or not known."""

    value: float | None = 1.0
    status: FeatureStatus = FeatureStatus.PRESENT
    age: float | None = 0.5
    event_us: int | None = EVENING_US - 1


@dataclass(frozen=True)
class Request:
    """One row; a number of its own makes the rest of it."""

    id: str
    number: int
    cells: tuple[Cell, ...] = (Cell(),) * len(FEATURES)


def requests(*ids: str) -> list[Request]:
    """Plain rows of these ids."""
    return [Request(id, number) for number, id in enumerate(ids)]


def served(
    rows: Sequence[Request],
    *,
    schema: LogSchema = SCHEMA,
    alias: Alias = "champion",
    logged_us: int = EVENING_US,
) -> ServedRows:
    """The batch of these rows."""

    def matrix(column: str, null: float, kind: type) -> Any:
        cells = [[getattr(cell, column) for cell in row.cells] for row in rows]
        known = [[null if cell is None else cell for cell in row] for row in cells]
        return np.array(known, kind).reshape(len(rows), len(FEATURES))

    # The challenger answers with several numbers.
    several = [[row.number / 7, row.number / 9] for row in rows]
    codes = [[list(FeatureStatus).index(cell.status) for cell in row.cells] for row in rows]
    return ServedRows(
        schema=schema,
        model_name=f"fraud-{alias}",
        model_version=7 if alias == "champion" else 8,
        alias=alias,
        fingerprint=f"finger-{alias}",
        threshold=0.25,
        request_ids=[row.id for row in rows],
        t_us=[EVENING_US + row.number for row in rows],
        logged_us=logged_us,
        entity_ids={"card": [row.number for row in rows], "shop": [2**62 + 1 for _ in rows]},
        request_values={"cents": [row.number * 100 for row in rows]},
        values=matrix("value", float("nan"), float),
        codes=np.array(codes, np.uint8).reshape(len(rows), len(FEATURES)),
        ages=matrix("age", float("nan"), float),
        event_us=matrix("event_us", NO_TIME, int),
        scores=np.array([row.number / 7 for row in rows], float),
        decisions=["block" if row.number % 2 else "allow" for row in rows],
        outputs=None if alias == "champion" else np.array(several).reshape(len(rows), 2),
    )


def with_value(rows: ServedRows, value: float) -> ServedRows:
    """The batch with another first value in its first row."""
    values = rows.values.copy()
    values[0, 0] = value
    return replace(rows, values=values)


def feature_row(row: Request, logged_us: int) -> Row:
    """What the table of features says of a row."""
    written: Row = {"card": row.number, "shop": 2**62 + 1, "cents": row.number * 100}
    kinds = (int, float, bool, lambda _: None)
    for feature, cell, kind in zip(FEATURES, row.cells, kinds, strict=True):
        written[feature.column] = None if cell.value is None else kind(cell.value)
        second = None if cell.event_us is None else instant_at(cell.event_us).replace(microsecond=0)
        written[f"{feature.column}__timestamp"] = second
        written[f"{feature.column}__status"] = _FEAST[cell.status]
    logged = instant_at(logged_us)
    return {
        **written,
        "__log_timestamp": logged,
        "__log_date": logged.date(),
        "__request_id": row.id,
    }


def prediction_row(row: Request, alias: Alias, logged_us: int) -> Row:
    """What the table of predictions says of a row."""
    return {
        "request_id": row.id,
        "event_timestamp": instant_at(EVENING_US) + timedelta(microseconds=row.number),
        "logged_at": instant_at(logged_us),
        "use_case": "fraud",
        "feature_service": "cards_v1",
        "model_name": f"fraud-{alias}",
        "model_version": 7 if alias == "champion" else 8,
        "alias": alias,
        "fingerprint": f"finger-{alias}",
        "outputs": None if alias == "champion" else [row.number / 7, row.number / 9],
        "score": row.number / 7,
        "threshold": 0.25,
        "decision": "block" if row.number % 2 else "allow",
        "statuses": [
            {
                "feature": feature.name,
                "status": cell.status.value,
                "age_seconds": cell.age,
                "step_timestamp": None if cell.event_us is None else instant_at(cell.event_us),
            }
            for feature, cell in zip(FEATURES, row.cells, strict=True)
        ],
    }


def logged(lake: Lake, table: str) -> pl.DataFrame:
    """The rows of `predictions` or of the service's features, without the folders' days."""
    folder = {"features": "served_features/cards_v1"}.get(table, table)
    keys = [key for key in lake.list(f"fraud/{folder}/") if key.endswith(".parquet")]
    return lake.scan_parquet(keys).collect() if keys else pl.DataFrame()


def ids(lake: Lake, table: str) -> list[str]:
    """The request ids of a table, sorted."""
    rows = logged(lake, table)
    name = "__request_id" if table == "features" else "request_id"
    return sorted(rows[name]) if rows.height else []
