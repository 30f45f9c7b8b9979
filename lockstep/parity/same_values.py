"""Values that are the same to the bit, and how those differ that are not."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

Booleans = NDArray[np.bool_]
Difference = Callable[[pl.Series, pl.Series], Booleans]


def same_bits(one: pl.Series, other: pl.Series) -> Booleans:
    """Where both are null, or have equal bits: 0.0 and -0.0 differ. NaN is null, as it is served.

    Of two types of numbers those are the same that each type holds as the other does; of other
    types only nulls are.
    """
    one, other = _without_nan(one), _without_nan(other)
    nulls, others = one.is_null().to_numpy(), other.is_null().to_numpy()
    if one.dtype != other.dtype:
        if not (one.dtype.is_numeric() and other.dtype.is_numeric()):
            return np.asarray(nulls & others)
        there, back = other.cast(one.dtype, strict=False), one.cast(other.dtype, strict=False)
        lost = there.is_null().to_numpy() != others
        lost |= back.is_null().to_numpy() != nulls
        return np.asarray(same_bits(one, there) & same_bits(other, back) & ~lost)
    if one.dtype.is_float():
        left, right = (series.fill_null(0).to_numpy() for series in (one, other))
        bits = np.dtype(f"i{left.dtype.itemsize}")
        equal = left.view(bits) == right.view(bits)
    else:
        equal = one.eq_missing(other).to_numpy()
    return np.asarray(np.where(nulls | others, nulls & others, equal), np.bool_)


def same_rows(one: pl.DataFrame, other: pl.DataFrame) -> Booleans:
    """The rows in which all columns of `one` have the same bits in `other`."""
    same = np.ones(one.height, np.bool_)
    for column in one.iter_columns():
        same &= same_bits(column, other.get_column(column.name))
    return same


def differ_only(one: pl.DataFrame, other: pl.DataFrame, how: Difference) -> Booleans:
    """The rows that differ in a column of `one`, and in none of them otherwise than `how` says."""
    equal, only = np.ones((2, one.height), np.bool_)
    for column in one.iter_columns():
        same = same_bits(column, other.get_column(column.name))
        equal &= same
        only &= same | how(column, other.get_column(column.name))
    return np.asarray(only & ~equal)


def differ_by_type(one: pl.Series, other: pl.Series) -> Booleans:
    """Where two values differ, and one is the other as float32, cut off, or rounded to a whole."""
    if not (one.dtype.is_float() or other.dtype.is_float()) or not (
        one.dtype.is_numeric() and other.dtype.is_numeric()
    ):
        return np.zeros(len(one), np.bool_)
    left, right = (s.cast(pl.Float64).fill_null(np.nan).to_numpy() for s in (one, other))
    narrowed = _is_narrowed(left, right) | _is_narrowed(right, left)
    return np.asarray(narrowed & ~same_bits(one, other))


def _is_narrowed(wide: NDArray[np.float64], narrow: NDArray[np.float64]) -> Booleans:
    # What float32 does not hold becomes infinite.
    with np.errstate(over="ignore"):
        single = wide.astype(np.float32).astype(np.float64)
    return np.asarray((narrow == single) | (narrow == np.trunc(wide)) | (narrow == np.rint(wide)))


def differ_by_default(one: pl.Series, other: pl.Series, defaults: Collection[float]) -> Booleans:
    """Where one value is null and the other one of the declared `defaults`."""
    if not (one.dtype.is_numeric() and other.dtype.is_numeric()):
        return np.zeros(len(one), np.bool_)
    left, right = (s.cast(pl.Float64).fill_null(np.nan).to_numpy() for s in (one, other))
    is_default = np.isin(np.where(np.isnan(left), right, left), list(defaults))
    return np.asarray((np.isnan(left) ^ np.isnan(right)) & is_default)


def _without_nan(values: pl.Series) -> pl.Series:
    return values.fill_nan(None) if values.dtype.is_float() else values
