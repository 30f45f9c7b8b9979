"""The k-th smallest value in each of many ranges of one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def kth_smallest(
    group: Ints, values: Ints, low: Ints, high: Ints, places: Sequence[Ints]
) -> list[Ints]:
    """For each of `places`, the value at place `places[j][i]` of range i in sorted order.

    Range i is `values[low[i]:high[i]]`, the smallest stands at place 0.

    A wavelet matrix (Claude, Navarro and Ordonez, 2015, doi 10.1016/j.is.2014.06.002) over
    the values' ranks within their group, from the highest bit down: a range holds so many
    zeros in that bit, which says on which side the place lies. A range must lie within one
    group and hold more values than its place says; its answer is any number otherwise.

    >>> one = np.zeros(4, dtype=np.int64)
    >>> kth_smallest(one, np.array([5, 3, 8, 1]), np.array([0]), np.array([3]), [np.array([1])])
    [array([5])]
    """
    if not len(values) or not len(low):
        return [np.zeros(len(low), dtype=np.int64) for _ in places]
    order = np.lexsort((values, group))
    first = np.searchsorted(group, group)
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values)) - first[order]
    bits = int(rank.max()).bit_length()
    lows, highs = [low] * len(places), [high] * len(places)
    left, found = list(places), [np.zeros(len(low), dtype=np.int64) for _ in places]
    for bit in reversed(range(bits)):
        ones = (rank >> bit) & 1
        zeros = np.append(0, np.cumsum(1 - ones))
        for j in range(len(places)):
            from_, to = zeros[lows[j]], zeros[highs[j]]
            below = to - from_
            is_one = left[j] >= below
            lows[j] = np.where(is_one, zeros[-1] + lows[j] - from_, from_)
            highs[j] = np.where(is_one, zeros[-1] + highs[j] - to, to)
            left[j] = np.where(is_one, left[j] - below, left[j])
            found[j] |= is_one.astype(np.int64) << bit
        rank = np.concatenate([rank[ones == 0], rank[ones == 1]])
    start = first[np.minimum(low, len(values) - 1)]
    return [values[order[np.minimum(start + f, len(values) - 1)]] for f in found]
