"""Rows that take other rows back.

A source may have a Boolean column `is_deleted`. A deletion repeats the row that it
retracts: the same keys, event time and values, and a created time of its own. A correction
is a deletion and the row in its place, both created at the correction.

Rows that are alike in keys, event time and values are interchangeable for every window, so
the first deletion of such a row retracts the one created first, and so on.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lockstep.windows.errors import EventsError
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED, EVENT_TIMESTAMP, WindowSpec

NEVER = np.iinfo(np.int64).max
ALWAYS = np.iinfo(np.int64).min
SIGN = "_sign"
RETIRED = "_retired"

_NTH = "_nth"
_TIME = pl.Datetime("us", "UTC")


def with_deletions(rows: pl.DataFrame, spec: WindowSpec) -> pl.DataFrame:
    """`rows` without `is_deleted`; if it is true anywhere, with a sign and an end instead.

    Times are int64 microseconds. The sign is -1 for a deletion, else 1. The end, `_retired`,
    is the created time of the row's deletion, `NEVER` if it has none; `ALWAYS` for a
    deletion, which is never held itself.

    Raises:
        EventsError: a deletion finds no row to retract, or one that was created after it.
    """
    if DELETED not in rows.columns:
        return rows
    deletions, kept = rows.filter(pl.col(DELETED)), rows.filter(~pl.col(DELETED))
    if deletions.is_empty():
        return rows.drop(DELETED)
    alike = list(dict.fromkeys((*spec.entity_keys, EVENT_TIMESTAMP, *spec.value_columns)))
    concerned = kept.join(deletions, on=alike, how="semi")
    others = kept.join(deletions, on=alike, how="anti")
    pairs = _numbered(concerned, alike).join(
        _numbered(deletions, alike).select(*alike, _NTH, pl.col(CREATED_TIMESTAMP).alias(RETIRED)),
        on=[*alike, _NTH],
        how="left",
    )
    matched = pairs.filter(pl.col(RETIRED) >= pl.col(CREATED_TIMESTAMP))
    if matched.height < deletions.height:
        raise _unmatched(deletions, matched, alike)
    return pl.concat(
        [
            _signed(others, 1, pl.lit(NEVER)),
            _signed(pairs.drop(_NTH), 1, pl.col(RETIRED).fill_null(NEVER)),
            _signed(deletions, -1, pl.lit(ALWAYS)),
        ],
        how="diagonal",
    )


def _unmatched(deletions: pl.DataFrame, matched: pl.DataFrame, alike: list[str]) -> EventsError:
    used = matched.select(*alike, pl.col(RETIRED).alias(CREATED_TIMESTAMP))
    left = deletions.join(used, on=used.columns, how="anti").select(alike)
    examples = left.head(5).with_columns(pl.col(EVENT_TIMESTAMP).cast(_TIME)).rows(named=True)
    return EventsError.unmatched_deletions(deletions.height - matched.height, examples)


def _numbered(rows: pl.DataFrame, alike: list[str]) -> pl.DataFrame:
    """The rows with their place among those alike, in created order."""
    place = pl.int_range(pl.len()).over(alike).alias(_NTH)
    return rows.sort(CREATED_TIMESTAMP).with_columns(place)


def _signed(rows: pl.DataFrame, sign: int, retired: pl.Expr) -> pl.DataFrame:
    return rows.drop(DELETED).with_columns(
        pl.lit(sign, dtype=pl.Int64).alias(SIGN), retired.cast(pl.Int64).alias(RETIRED)
    )
