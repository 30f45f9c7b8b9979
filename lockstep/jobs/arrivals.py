"""What became known in an interval: counts for the receipt, hashes that tell a changed source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl

from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED, EVENT_TIMESTAMP, WindowSpec

HOUR_US = 3_600_000_000
# Each age ends before so many microseconds.
_LATE_BY = {
    "on_time": 2,
    "under_1h": HOUR_US,
    "under_1d": 24 * HOUR_US,
    "under_7d": 7 * 24 * HOUR_US,
    "under_30d": 30 * 24 * HOUR_US,
}
LATE_AGES = (*_LATE_BY, "older")


def known_us() -> pl.Expr:
    """When a source row became known: the later of its event and created time, microseconds."""
    return pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP).to_physical()


@dataclass(frozen=True)
class Arrivals:
    """Source rows counted. Two of them add up, so that a build can count in pieces.

    `late` counts the rows by created minus event time, under the names of `LATE_AGES`;
    on time is at most a microsecond: the step of a row's own arrival then knows it.
    `hashes` has, for each hour since 1970 in which rows became known, one number that any
    other set of rows would change, whatever their order. A newer Polars may give other
    numbers; the rows then count as changed.
    """

    rows: int = 0
    late: Mapping[str, int] = field(default_factory=dict)
    deletions: int = 0
    hashes: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pl.DataFrame, spec: WindowSpec) -> Arrivals:
        """Counts `rows` of the spec's source; `is_deleted` may be missing or null."""
        deleted = pl.col(DELETED).fill_null(False) if DELETED in rows.columns else pl.lit(False)
        return cls(
            rows=rows.height,
            late=_late(rows),
            deletions=int(rows.select(deleted.sum()).item() or 0) if rows.height else 0,
            hashes=_hashes(rows, pl.struct(*spec.source_columns, deleted.alias(DELETED))),
        )

    def __add__(self, other: Arrivals) -> Arrivals:
        hashes = dict(self.hashes)
        for hour, number in other.hashes.items():
            hashes[hour] = (hashes.get(hour, 0) + number) % 2**64
        return Arrivals(
            rows=self.rows + other.rows,
            late=dict(Counter(self.late) + Counter(other.late)),
            deletions=self.deletions + other.deletions,
            hashes=hashes,
        )


def _late(rows: pl.DataFrame) -> dict[str, int]:
    delay = (pl.col(CREATED_TIMESTAMP) - pl.col(EVENT_TIMESTAMP)).to_physical()
    ages = [(delay < limit).sum().alias(age) for age, limit in _LATE_BY.items()]
    below = (0, *rows.select(*ages, older=pl.len()).row(0))
    return {age: n - m for age, (m, n) in zip(LATE_AGES, pairwise(below), strict=True) if n > m}


def _hashes(rows: pl.DataFrame, whole_row: pl.Expr) -> dict[int, int]:
    """The sum of the rows' hashes by hour; 64-bit sums wrap."""
    hours = rows.group_by((known_us() // HOUR_US).alias("hour")).agg(whole_row.hash().sum())
    return dict(hours.iter_rows())
