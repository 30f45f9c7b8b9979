"""The newest row of every key of a view's table, found with as little reading as possible."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import polars as pl

from lockstep.lake.lake import Lake
from lockstep.stores.newest import newest_per_key
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

Chosen = Callable[[pl.LazyFrame], pl.LazyFrame]

_FILE = "__file"
# Keys whose rows are held at once: about a gigabyte with a dozen features.
_KEYS_AT_ONCE = 2_000_000


def newest_rows(
    table: ViewTable, *, chosen: Chosen, files: Collection[str] | None = None
) -> Iterator[pl.DataFrame]:
    """The newest row of every key among the `chosen` ones, in frames of some million keys.

    `files` are the keys of the table's files to look into, all by default. Newest is as in
    the point-in-time join: the last event, then the last created. Frames are in key order
    and do not depend on how the table is cut into files.

    Two passes over the keys and times alone find which files have a newest row; only those
    are read with their features: 4,990 cards out of 6.7 M steps in 0.5 s instead of 1.0 s.

    Raises:
        SourceError: the table is absent or is not as declared.
    """
    source, keys = table.table, list(table.keys)
    asked = [file for file in source.files if files is None or file in files]
    if not asked:
        return
    times = chosen(table.scan((), files=asked, file_column=_FILE))
    times = times.drop_nulls([*keys, EVENT_TIMESTAMP])
    newest = times.select(*keys, EVENT_TIMESTAMP)
    last = pl.col(EVENT_TIMESTAMP).max()
    newest = newest.group_by(keys).agg(last) if keys else newest.select(last).drop_nulls()
    found = source.collect(newest, engine="streaming")
    if found.is_empty():
        return
    holding = _files(
        source.collect(_tied(times, found, keys).select(_FILE).unique()), asked, source.lake
    )
    buckets = -(-found.height // _KEYS_AT_ONCE)
    for bucket in range(buckets):
        rows = chosen(table.scan(list(table.features), files=holding))
        if buckets > 1:
            rows = rows.filter(pl.struct(keys).hash() % buckets == bucket)
        rows = newest_per_key(rows, keys, event=EVENT_TIMESTAMP, created=_created(table))
        yield source.collect(rows, engine="streaming").sort(keys or EVENT_TIMESTAMP)


def _tied(times: pl.LazyFrame, newest: pl.DataFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """The rows with the newest event of their key, of which there may be several."""
    first = newest.get_column(EVENT_TIMESTAMP).min()
    rows = times.filter(pl.col(EVENT_TIMESTAMP) >= first)
    return rows.join(newest.lazy(), on=[*keys, EVENT_TIMESTAMP], how="semi")


def _files(paths: pl.DataFrame, asked: Sequence[str], lake: Lake) -> list[str]:
    """Of the files that were asked for those whose place is among `paths`."""
    found = set(paths.get_column(_FILE))
    return [file for file in asked if lake.address(file) in found]


def _created(table: ViewTable) -> str | None:
    return CREATED_TIMESTAMP if table.view.batch_source.created_timestamp_column else None
