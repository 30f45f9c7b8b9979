"""Ids for the rows of files that have none.

An id is made of what the row says and of how many rows of the same source say the same: so a
source that comes again, in any order, has the same ids and adds nothing, and of two exports
that overlap the common rows are there once. The price: an event that stands in another source
and says the same as one of this source cannot be told from its repetition.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.jobs.ingest.split import FILE, ROW_NUMBER
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED

_Words = NDArray[np.uint64]
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def content_ids(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    """For each row a number from 0 on, made of int64 columns in order; null counts as 0.

    Equal rows have equal numbers. Two that differ have the same with a chance of one in 2^63;
    the later one would be rejected as a repetition, not lost in silence.

    >>> one, same, other = content_ids(pl.DataFrame({"a": [1, 1, 2], "b": [2, 2, 1]}), ("a", "b"))
    >>> one == same, one == other
    (True, False)
    """
    words = np.zeros(rows.height, np.uint64)
    for name in columns:
        words = _mixed(words, _words(rows.get_column(name).fill_null(0)))
    return _as_ids(words)


def numbered(rows: pl.DataFrame, spec: IngestSpec) -> pl.DataFrame:
    """Checked rows of whole contents, whose key is `content_ids`, with ids of their own.

    Among rows of one content the order is that of the other columns, null last, then that of
    the source: where in the source they stand does not matter. Versions of a row, which differ
    in their created times, keep its id. In order of the source.
    """
    if not spec.identity:
        return rows
    (key,), version = spec.key, (CREATED_TIMESTAMP, DELETED)
    others = [name for name in spec.names if name not in (*spec.identity, *version)]
    ordered = rows.sort(*others, FILE, ROW_NUMBER, nulls_last=True)
    alike_before = ordered.select(pl.int_range(pl.len()).over(key, *version)).to_series()
    ids = _as_ids(_mixed(_words(ordered.get_column(key)), _words(alike_before)))
    return ordered.with_columns(ids.alias(key)).sort(FILE, ROW_NUMBER)


def _words(values: pl.Series) -> _Words:
    return np.asarray(values.to_numpy().astype(np.int64).view(np.uint64))


def _as_ids(words: _Words) -> pl.Series:
    return pl.Series((words >> np.uint64(1)).astype(np.int64))


def _mixed(words: _Words, more: _Words) -> _Words:
    """One step of SplitMix64 (Steele, Lea and Flood, 2014), in arithmetic modulo 2^64."""
    words = (words ^ more) + _GAMMA
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)))
