"""What the lake already holds of the rows that are about to be added to it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from polars.exceptions import PolarsError

from lockstep.lake.errors import LakeError
from lockstep.lake.table import LakeTable

_STORED = ":stored"


def stored_alike(table: LakeTable, rows: pl.DataFrame, key: Sequence[str]) -> pl.Series:
    """For each row, whether the table holds it: true alike, false with other values, else null.

    Rows are matched by `key`, over all days: a key that comes back on another day is a
    conflict too.

    Raises:
        LakeError: a partition of the table is not parquet.
    """
    stored = _stored_rows(table, rows, key)
    if stored is None:
        return pl.repeat(None, len(rows), dtype=pl.Boolean, eager=True)
    others = [name for name in rows.columns if name not in key]
    alike = pl.all_horizontal(pl.col(n).eq_missing(pl.col(f"{n}{_STORED}")) for n in others)
    marked = stored.with_columns(pl.lit(value=True).alias(_STORED))
    joined = rows.join(marked, on=key, how="left", suffix=_STORED, maintain_order="left")
    return joined.select(pl.when(pl.col(_STORED)).then(alike)).to_series()


def _stored_rows(table: LakeTable, rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame | None:
    """The rows of the table with a key of `rows`; files out of its range are not read."""
    if rows.is_empty() or not table.days():
        return None
    low, high = rows[key[0]].min(), rows[key[0]].max()
    in_range = table.scan().filter(pl.col(key[0]).is_between(low, high))
    try:
        return in_range.join(rows.lazy().select(key), on=key, how="semi").collect()
    except PolarsError as error:
        raise LakeError.unreadable(table.path, error) from error
