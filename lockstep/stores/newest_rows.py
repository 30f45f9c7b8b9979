"""The newest row of every key of a view's table, found with as little reading as possible."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import polars as pl

from lockstep.stores.column_types import UTC_TIME
from lockstep.stores.newest import newest_per_key
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

# Keys whose rows are held at once: about a gigabyte with a dozen features.
_KEYS_AT_ONCE = 2_000_000

# The share of the files in which most keys are expected to have their newest row.
_RECENT = 0.15

# Ranges of time that a scan is narrowed to, each compared with every row that is read; and the
# longest gap that a range always spans.
_RANGES = 32
_SHORT_GAP_US = 86_400_000_000


@dataclass(frozen=True)
class Chosen:
    """The rows that count: with an event until `end`, created until `known_by` where that is
    not None, and with `since` where that is not None."""

    end: datetime
    known_by: datetime | None = None
    since: pl.Expr | None = None

    def of(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows with `since`; those that do not count for another reason are among them."""
        return rows if self.since is None else rows.filter(self.since)

    @property
    def until(self) -> pl.Expr:
        """The reasons other than `since`."""
        until = pl.col(EVENT_TIMESTAMP) <= self.end
        return until if self.known_by is None else until & self.is_known

    @property
    def is_known(self) -> pl.Expr:
        """Whether a row was created until `known_by`, which is not None; its event's time
        stands for a null."""
        return pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP) <= self.known_by

    def also(self, condition: pl.Expr) -> Chosen:
        """Of these rows, those with a condition on their keys alone."""
        return replace(self, since=condition if self.since is None else self.since & condition)


def newest_rows(
    table: ViewTable,
    *,
    chosen: Chosen,
    features: Sequence[str] | None = None,
    files: Collection[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """The newest row of every key among the `chosen` ones, in frames of some million keys.

    With the table's `features`, and out of its `files`, all by default. Newest is as in the
    point-in-time join: the last event, then the last created. Frames are in key order
    and do not depend on how the table is cut into files.

    First the newest times are found from keys and times alone, then the rows at these times
    are read. No file was replaced in between.

    Raises:
        SourceError: the table is absent or is not as declared.
    """
    source, keys = table.table, list(table.keys)
    asked = [file for file in source.files if files is None or file in files]
    if not asked:
        return
    read = list(table.features if features is None else features)
    found = source.read_unchanged(asked, lambda: _newest(table, read, chosen, asked))
    if isinstance(found, pl.DataFrame):
        yield found
        return
    for part in range(found):
        of_part = chosen.also(pl.struct(keys).hash() % found == part)
        of_table = partial(_newest, table, read, of_part, asked, in_parts=True)
        rows = source.read_unchanged(asked, of_table)
        if isinstance(rows, pl.DataFrame):
            yield rows


def _newest(
    table: ViewTable,
    features: list[str],
    chosen: Chosen,
    files: list[str],
    *,
    in_parts: bool = False,
) -> pl.DataFrame | int:
    """The rows in key order; where they are none or too many, in how many parts to read them."""
    times = _newest_times(table, chosen, files)
    parts = -(-times.height // _KEYS_AT_ONCE)
    if not parts or (parts > 1 and not in_parts):
        return parts
    rows = chosen.of(table.scan(features, files=files)).filter(chosen.until)
    rows = rows.filter(_at_any(times.get_column(EVENT_TIMESTAMP).unique()))
    keys, created = list(table.keys), CREATED_TIMESTAMP if table.has_created else None
    newest = newest_per_key(rows, keys, event=EVENT_TIMESTAMP, created=created)
    return newest.collect(engine="streaming").sort(keys or EVENT_TIMESTAMP)


def _newest_times(table: ViewTable, chosen: Chosen, files: list[str]) -> pl.DataFrame:
    """The keys and the newest event_timestamp of each.

    First from the recent rows; of the others the times are read only where a key was not
    among them (4,990 cards of 6.7 M steps: 0.19 s of CPU; all times at once 0.25 s).
    """
    rows, keys = chosen.of(table.scan((), files=files)), list(table.keys)
    last = pl.col(EVENT_TIMESTAMP).max()
    if len(files) == 1 or len(keys) != 1:  # reading the times is faster than comparing tuples
        return _last(rows.filter(chosen.until), keys, last)
    start = _start_of_recent(table, files, chosen.end)
    found = _last(rows.filter(pl.col(EVENT_TIMESTAMP) >= start, chosen.until), keys, last)
    if found.is_empty():
        return _last(rows.filter(chosen.until), keys, last)
    others = rows.filter(~pl.col(keys[0]).is_in(found.get_column(keys[0]).implode()))
    # Not a second filter: Polars would then read the times of all rows.
    last = pl.col(EVENT_TIMESTAMP).filter(chosen.until).max()
    return pl.concat([found, _last(others, keys, last)])


def _last(rows: pl.LazyFrame, keys: list[str], last: pl.Expr) -> pl.DataFrame:
    newest = rows.group_by(keys).agg(last) if keys else rows.select(last)
    return newest.drop_nulls().collect(engine="streaming")


def _start_of_recent(table: ViewTable, files: list[str], end: datetime) -> datetime:
    """A time after which, up to `end`, few rows lie where the files follow one another in time.

    The newest rows are the same whatever it is.
    """
    at, first = int(len(files) * (1 - _RECENT)), pl.col(EVENT_TIMESTAMP).min()
    while at:
        start = table.scan((), files=[files[at]]).select(first).collect().item()
        if isinstance(start, datetime) and start <= end:
            return start
        at //= 2  # one file is read each time: eight of 183 where all lie after `end`
    return end


def _at_any(times: pl.Series) -> pl.Expr:
    """The rows at one of the times: decided from that column alone, so that Polars reads the
    others only where there are such rows (4,990 cards of 6.7 M steps: 0.49 s of CPU for
    both passes; a third one, which found the files, made it 0.8 s). The ranges of time
    are for the statistics of the files, by which Polars leaves most of them unread."""
    event = pl.col(EVENT_TIMESTAMP)
    within = [event.is_between(_at(first), _at(last)) for first, last in _ranges(times)]
    return pl.any_horizontal(within) & event.is_in(times.implode())


def _ranges(times: pl.Series) -> list[tuple[int, int]]:
    """First and last times, in microseconds, of the groups between which the longest gaps lie."""
    times = times.to_physical().sort()
    gaps = times.diff()
    longest = gaps.drop_nulls().sort(descending=True).head(_RANGES)
    short = max(_SHORT_GAP_US, longest[-1]) if len(longest) == _RANGES else _SHORT_GAP_US
    groups = pl.DataFrame({"time": times, "group": (gaps > short).fill_null(False).cum_sum()})
    ends = groups.group_by("group", maintain_order=True).agg(
        pl.col("time").first().alias("first"), pl.col("time").last().alias("last")
    )
    return list(ends.select("first", "last").iter_rows())


def _at(microseconds: int) -> pl.Expr:
    """A time; made of a datetime it takes Polars 0.2 ms."""
    return pl.lit(microseconds).cast(UTC_TIME)
