"""Squares of 64-bit integers, in three parts whose sums stay in 64 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]

_HALF = np.uint64(32)
_MASK = np.uint64(2**32 - 1)
_LIMB = pl.Series([2**32], dtype=pl.Int128)


def square_limb(values: Ints, limb: int) -> Ints:
    """Part `limb` of the squares: value^2 = limb 0 + 2^32 limb 1 + 2^64 limb 2.

    Limbs 0 and 1 are below 2^33, so that two thousand million of them can be summed.

    >>> int(square_limb(np.array([-(2**40)]), 2)[0])
    65536
    """
    size = np.abs(values).astype(np.uint64)
    high, low = size >> _HALF, size & _MASK
    square, product = low * low, high * low
    match limb:
        case 0:
            part = square & _MASK
        case 1:
            part = (square >> _HALF) + ((product & np.uint64(2**31 - 1)) << np.uint64(1))
        case _:
            part = high * high + (product >> np.uint64(31))
    return part.astype(np.int64)


def join_limbs(limbs: tuple[Ints, Ints, Ints]) -> pl.Series:
    """The numbers whose parts these are, as Int128."""
    low, middle, high = (pl.Series(limb).cast(pl.Int128) for limb in limbs)
    return (high * _LIMB + middle) * _LIMB + low
