"""Join keys as small integers, the same on both sides of a join."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lockstep.stores.backward_search import Int64s

_CODE = "__code"
# Wider ranges of a single integer key are numbered like text: codes share 64 bits with times.
_WIDEST = 2**24


def key_codes(
    steps: pl.DataFrame, entities: pl.DataFrame, keys: Sequence[str]
) -> tuple[Int64s, Int64s]:
    """A code from 0 on for each row of both frames: equal for equal keys, else different.

    -1 stands for a key with a null in it; a key that no step has is -1 or a code of its own.
    Without keys all rows have one code. The columns `keys` are of equal types in both.

    >>> key_codes(pl.DataFrame({"k": [7, 9]}), pl.DataFrame({"k": [9, 8, None]}), ["k"])[0]
    array([0, 2])
    """
    if not keys:
        return np.zeros(len(steps), np.int64), np.zeros(len(entities), np.int64)
    if len(keys) == 1 and steps.schema[keys[0]].is_integer():
        column = steps.get_column(keys[0])
        low, high = column.min() or 0, column.max() or 0
        if isinstance(low, int) and isinstance(high, int) and high - low < _WIDEST:
            return _offsets(column, low, high), _offsets(entities.get_column(keys[0]), low, high)
    numbered = steps.lazy().select(keys).drop_nulls().unique().with_row_index(_CODE).collect()
    return _numbers(steps, numbered, keys), _numbers(entities, numbered, keys)


def _offsets(column: pl.Series, low: int, high: int) -> Int64s:
    inside = column.is_between(low, high)
    offsets = pl.select(pl.when(inside).then(column.cast(pl.Int64) - low).otherwise(-1))
    return offsets.to_series().to_numpy()


def _numbers(rows: pl.DataFrame, numbered: pl.DataFrame, keys: Sequence[str]) -> Int64s:
    found = rows.select(keys).join(numbered, on=list(keys), how="left", maintain_order="left")
    return found.get_column(_CODE).cast(pl.Int64).fill_null(-1).to_numpy()
