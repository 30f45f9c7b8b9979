"""A search in a column of numbers, many queries at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def last_at_most(values: Int64s, starts: Int64s, limits: Int64s) -> Int64s:
    """For each query the last position at or before its start whose value is at most its limit.

    -1 where there is none. Takes a logarithmic number of vectorised steps: a tree of
    minima over blocks of 1, 2, 4, ... values is climbed to the left while a block has
    nothing small enough, then descended to the right.

    >>> last_at_most(np.array([3, 9, 4, 8]), np.array([3, 3, 1]), np.array([5, 8, 2]))
    array([ 2,  3, -1])
    """
    minima = _tree_of_minima(values)
    offsets = np.cumsum([0, *(len(level) for level in minima)])
    flat = np.concatenate(minima)
    level, node = _climb(flat, offsets, starts, limits)
    return _descend(flat, offsets, level, node, limits)


def _tree_of_minima(values: Int64s) -> list[Int64s]:
    levels = [values]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = np.minimum(below[: len(below) - 1 : 2], below[1::2])
        levels.append(np.append(pairs, below[-1]) if len(below) % 2 else pairs)
    return levels


def _climb(flat: Int64s, offsets: Int64s, starts: Int64s, limits: Int64s) -> tuple[Int64s, Int64s]:
    """For each query a block left of (or at) the start that has an answer in it."""
    level, node = np.zeros_like(starts), starts.copy()
    open_ = np.flatnonzero(node >= 0)
    while len(open_):
        at = offsets[level[open_]] + node[open_]
        open_ = open_[flat[at] > limits[open_]]
        node[open_] -= 1
        # A right child ends where its parent ends, so the parent may be tried at once.
        upward = open_[node[open_] % 2 == 1]
        level[upward] += 1
        node[upward] //= 2
        open_ = open_[node[open_] >= 0]
    return level, node


def _descend(flat: Int64s, offsets: Int64s, level: Int64s, node: Int64s, limits: Int64s) -> Int64s:
    """The last position in each block that is small enough; -1 for no block."""
    open_ = np.flatnonzero((level > 0) & (node >= 0))
    while len(open_):
        level[open_] -= 1
        right = 2 * node[open_] + 1
        size = offsets[level[open_] + 1] - offsets[level[open_]]
        exists = right < size
        at = offsets[level[open_]] + np.where(exists, right, 0)
        fits = exists & (flat[at] <= limits[open_])
        node[open_] = np.where(fits, right, right - 1)
        open_ = open_[level[open_] > 0]
    return np.where(node >= 0, node, -1)
