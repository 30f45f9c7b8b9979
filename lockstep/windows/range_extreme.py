"""The smallest value in each of many ranges of one array."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def range_minimum(values: Ints, low: Ints, high: Ints) -> Ints:
    """The least of `values[low[i]:high[i]]` for each i; any number where that is empty.

    A sparse table: the minima of all runs of 1, 2, 4, ... values, as far as the longest
    range needs. A range is covered by two runs that may overlap. Shapes: `low` and `high`
    (n,), the answer (n,).

    >>> range_minimum(np.array([5, 3, 8, 1]), np.array([0, 1]), np.array([2, 3])).tolist()
    [3, 3]
    """
    answer = np.zeros(len(low), dtype=np.int64)
    length = high - low
    if not len(values) or not len(low) or length.max() <= 0:
        return answer
    level = np.where(length > 0, np.frexp(np.maximum(length, 1))[1] - 1, -1)
    runs = values
    for k in range(int(level.max()) + 1):
        here = np.flatnonzero(level == k)
        answer[here] = np.minimum(runs[low[here]], runs[high[here] - (1 << k)])
        runs = np.minimum(runs[: -(1 << k)], runs[1 << k :])
    return answer
