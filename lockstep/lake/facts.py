"""Tables of facts: rows that are only ever added, some of which take others back.

A deletion repeats the row that it takes back, with `is_deleted` and a created time of its
own; a correction is a deletion and the new row, created together. So a table says what was
known at any instant, and whoever wants the rows that hold must leave the others out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from lockstep.lake.errors import LakeError
from lockstep.lake.stage import Stage
from lockstep.lake.table import LakeTable
from lockstep.windows.spec import CREATED_TIMESTAMP, DELETED, EVENT_TIMESTAMP


def scan_facts(table: LakeTable, *, next_step: str = "ingest it first") -> pl.LazyFrame:
    """The facts of the whole table, lazily.

    Raises:
        LakeError: there are none, or an ingest of them has not come to its end.
    """
    require_whole(table)
    return table.scan(next_step=next_step)


def require_whole(table: LakeTable) -> None:
    """Returns where every ingest of the table has come to its end.

    Raises:
        LakeError: one has not.
    """
    if Stage.unmerged(table):
        raise LakeError.half_ingested(table.address)


def live_rows(
    facts: pl.LazyFrame, key: Sequence[str], *, known_as_of: datetime | None = None
) -> pl.LazyFrame:
    """For each id its newest row, unless that was taken back; in no particular order.

    Only facts count that had happened and had been created by `known_as_of`; all, if None.
    """
    if known_as_of is not None:
        facts = facts.filter(pl.max_horizontal(EVENT_TIMESTAMP, CREATED_TIMESTAMP) <= known_as_of)
    # At one created time the deletion comes first, then the row in its place.
    in_order = facts.sort(CREATED_TIMESTAMP, DELETED, descending=[False, True])
    return in_order.unique(key, keep="last").filter(~pl.col(DELETED))
