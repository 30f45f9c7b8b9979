"""What the source of a view has learnt of entities since the store was last told.

A fact counts as later where its event had been materialised already, so that the store could
have had it, and it was created after that and until T: a deletion, a correction (a deletion and
the row in its place, created together), or a row that came late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lockstep.lake.facts import scan_facts
from lockstep.lake.lake import Lake
from lockstep.lake.table import LakeTable
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED, EVENT_TIMESTAMP, WindowSpec

if TYPE_CHECKING:
    from feast import FeatureView

_ROW, _CUT, _T = "__row", "__cut_us", "__t_us"
COUNTS = ("deletions", "corrections", "late_rows")


@dataclass(frozen=True)
class FactSource:
    """Facts with entity keys, event and created time, of which some may be deletions.

    A fact reaches a step for `reach_us` after its event; null for any time.
    """

    table: LakeTable
    keys: tuple[str, ...]
    reach_us: int

    @classmethod
    def of_windows(cls, lake: Lake, spec: WindowSpec) -> FactSource:
        """The source of a table of windows."""
        return cls(lake.table(spec.source), spec.entity_keys, spec.reach_us)

    def later(self, rows: pl.DataFrame) -> pl.DataFrame:
        """For each of `rows` its counts of `deletions`, `corrections` and `late_rows`.

        `rows` has the keys, `cut_us` and `t_us`: microseconds UTC. One row out per row in, in
        order.

        Raises:
            LakeError: the facts cannot be read.
        """
        asked = rows.select(
            *self.keys, pl.col("cut_us").alias(_CUT), pl.col("t_us").alias(_T)
        ).with_row_index(_ROW)
        if asked.is_empty():
            return pl.DataFrame(schema=dict.fromkeys(COUNTS, pl.Int64))
        first, last = asked.get_column(_CUT).min(), asked.get_column(_T).max()
        created, event = (
            pl.col(name).to_physical() for name in (CREATED_TIMESTAMP, EVENT_TIMESTAMP)
        )
        scanned = scan_facts(self.table)
        if DELETED not in scanned.collect_schema():
            scanned = scanned.with_columns(pl.lit(value=False).alias(DELETED))
        facts = (
            scanned.filter(created > first, created <= last)
            .select(*self.keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP, DELETED)
            .join(asked.lazy().select(self.keys).unique(), on=self.keys, how="semi")
        )
        found = self.table.collect(facts)
        pair = pl.col(DELETED).any().over(*self.keys, CREATED_TIMESTAMP) & ~pl.col(
            DELETED
        ).all().over(*self.keys, CREATED_TIMESTAMP)
        told = found.with_columns(pair.alias("__corrected"))
        near = (
            asked.join(told, on=self.keys)
            .filter(
                created > pl.col(_CUT),
                created <= pl.col(_T),
                event <= pl.col(_CUT),
                event > pl.col(_T) - self.reach_us,
            )
            .group_by(_ROW)
            .agg(
                (pl.col(DELETED) & ~pl.col("__corrected")).sum().alias("deletions"),
                (pl.col(DELETED) & pl.col("__corrected")).sum().alias("corrections"),
                (~pl.col(DELETED) & ~pl.col("__corrected")).sum().alias("late_rows"),
            )
        )
        counted = asked.join(near, on=_ROW, how="left", maintain_order="left")
        return counted.select(pl.col(COUNTS).fill_null(0).cast(pl.Int64))


@dataclass(frozen=True)
class OwnRows:
    """A view whose rows are facts themselves, as Feast's views mostly are: rows of its table."""

    table: ViewTable

    @classmethod
    def of_view(cls, lake: Lake, view: FeatureView) -> OwnRows:
        """The rows of the view's source."""
        return cls(ViewTable(view, lake))

    @property
    def keys(self) -> tuple[str, ...]:
        """The view's join keys."""
        return tuple(self.table.keys)

    def later(self, rows: pl.DataFrame) -> pl.DataFrame:
        """As of `FactSource`; a second version of a row is a correction, the first one late.

        Raises:
            SourceError: the view's table cannot be read.
        """
        keys = list(self.keys)
        if rows.is_empty() or not self.table.has_created:
            return pl.select(pl.repeat(0, len(rows), dtype=pl.Int64).alias(n) for n in COUNTS)
        asked = rows.select(*keys, pl.col("cut_us").alias(_CUT), pl.col("t_us").alias(_T))
        asked = asked.with_row_index(_ROW)
        created, event = (
            pl.col(name).to_physical() for name in (CREATED_TIMESTAMP, EVENT_TIMESTAMP)
        )
        steps = self.table.scan(()).join(asked.lazy().select(keys).unique(), on=keys, how="semi")
        versions = self.table.table.collect(steps).with_columns(
            (created > created.min().over(*keys, EVENT_TIMESTAMP)).alias("__again")
        )
        near = (
            asked.join(versions, on=keys)
            .filter(created > pl.col(_CUT), created <= pl.col(_T), event <= pl.col(_CUT))
            .group_by(_ROW)
            .agg(
                pl.col("__again").sum().alias("corrections"),
                (~pl.col("__again")).sum().alias("late_rows"),
            )
        )
        counted = asked.join(near, on=_ROW, how="left", maintain_order="left").with_columns(
            pl.lit(0).alias("deletions")
        )
        return counted.select(pl.col(COUNTS).fill_null(0).cast(pl.Int64))
