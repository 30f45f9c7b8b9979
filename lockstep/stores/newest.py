"""The newest row of every key, found in the scan."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_ROW = "__row"


def newest_per_key(
    rows: pl.LazyFrame, keys: Sequence[str], *, event: str, created: str | None = None
) -> pl.LazyFrame:
    """One row for each combination of `keys`: the newest `event`, then the newest `created`.

    Among equals it is the last one, as in the point-in-time join; a null `created` counts
    as the event's time. Rows with a null key or event are left out. The output has no
    particular order. Without keys there is one row, or none.

    >>> rows = pl.LazyFrame({"k": [1, 1, 2], "t": [5, 6, 4], "x": ["a", "b", "c"]})
    >>> newest_per_key(rows, ["k"], event="t").sort("k").collect().rows()
    [(1, 6, 'b'), (2, 4, 'c')]
    """
    numbered = rows.with_row_index(_ROW).drop_nulls([*keys, event])
    ties = [event, _ROW]
    if created is not None:
        numbered = numbered.with_columns(pl.coalesce(created, event).alias(created))
        ties = [created, _ROW]
    # The newest times are found in a pass over the keys and times alone, so that of the
    # other columns only the winners' (and their ties') are ever held.
    last = pl.col(event).max()
    times = numbered.select(*keys, event)
    newest = times.group_by(keys).agg(last) if keys else times.select(last)
    tied = numbered.join(newest, on=[*keys, event], how="semi").sort(ties)
    chosen = tied.unique(keys, keep="last", maintain_order=True) if keys else tied.tail(1)
    return chosen.drop(_ROW)
