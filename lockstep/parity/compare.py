"""Served feature values against the offline join, bit for bit.

What belongs here: deciding at which instant a served vector can be recomputed, and
comparing. The served values come over HTTP, the recomputed ones from the offline store;
neither is fetched here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lockstep.parity.errors import ComparisonError
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP, WindowSpec

CUT = "cut"
_ROW = "__row"


@dataclass(frozen=True)
class Mismatch:
    """One value that differs; `row` counts served rows from 0."""

    row: int
    feature: str
    served: Any
    recomputed: Any


@dataclass(frozen=True)
class Comparison:
    """How many values were compared, how many of them were null on both sides, what differs."""

    compared: int
    both_null: int
    mismatches: tuple[Mismatch, ...]

    def __str__(self) -> str:
        return f"features compared: {self.compared:,}, mismatches: {len(self.mismatches):,}"


def recompute_at(
    served: pl.DataFrame, tables: Sequence[tuple[WindowSpec, pl.LazyFrame]]
) -> pl.Series:
    """For each served row the instant whose offline join must equal it.

    `served` has the entity keys, `event_timestamp` (T) and `cut`: the END of the
    materialisation that it was served from, at or before T. The join at T must equal
    unless an entity of the row has a step that became final in (cut, T], which the online
    store cannot hold yet: then the join at the cut must.
    """
    moved = pl.Series([False] * served.height)
    for spec, steps in tables:
        moved = moved | _has_later_step(served, spec, steps)
    at = pl.when(moved).then(CUT).otherwise(EVENT_TIMESTAMP)
    return served.select(at.alias(EVENT_TIMESTAMP)).to_series()


def _has_later_step(served: pl.DataFrame, spec: WindowSpec, steps: pl.LazyFrame) -> pl.Series:
    keys = list(spec.entity_keys)
    rows = served.select(*keys, pl.col(EVENT_TIMESTAMP).alias("t"), CUT).with_row_index(_ROW)
    final = pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP).alias("final")
    later = steps.filter(pl.col(EVENT_TIMESTAMP) <= served[EVENT_TIMESTAMP].max())
    moved = (
        later.select(*keys, final)
        .filter(pl.col("final") > served[CUT].min())
        .join(rows.lazy(), on=keys)
        .filter(pl.col("final") > pl.col(CUT), pl.col("final") <= pl.col("t"))
        .select(pl.col(_ROW).unique())
        .collect()
    )
    return rows[_ROW].is_in(moved[_ROW].implode())


def compare(served: pl.DataFrame, recomputed: pl.DataFrame, features: Sequence[str]) -> Comparison:
    """Row i of `served` against row i of `recomputed`, for each of `features`.

    Two values are equal when both are null or their bits are: 70 and 70.0 are not, 0.0
    and -0.0 are not.

    Raises:
        ComparisonError: a feature or a row is missing on one side, or there is nothing to
            compare.
    """
    if not (served.height and features):
        raise ComparisonError.nothing()
    if served.height != recomputed.height:
        raise ComparisonError.rows(served.height, recomputed.height)
    if missing := set(features) - (set(served.columns) & set(recomputed.columns)):
        raise ComparisonError.features(missing)
    mismatches = tuple(
        Mismatch(row, feature, left, right)
        for feature in features
        for row, (left, right) in enumerate(zip(served[feature], recomputed[feature], strict=True))
        if _bits(left) != _bits(right)
    )
    both_null = sum(int((served[f].is_null() & recomputed[f].is_null()).sum()) for f in features)
    return Comparison(served.height * len(features), both_null, mismatches)


def _bits(value: Any) -> Any:
    return value.hex() if isinstance(value, float) else (type(value), value)
