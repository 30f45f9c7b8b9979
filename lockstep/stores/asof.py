"""The point-in-time join: for each entity row the step that was known at its T.

Pure: Polars in, Polars out, no Feast and no files. The offline store brings the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from lockstep.stores.backward_search import Int64s, last_at_most
from lockstep.stores.errors import EntityFrameError
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

KNOWN_AS_OF = "known_as_of"

_ROW = "__row"
_PLACE = "__place"
_GROUP = "__group"


def join_as_of(
    entities: pl.DataFrame,
    steps: pl.DataFrame,
    *,
    keys: Sequence[str],
    ttl: timedelta | None = None,
) -> pl.DataFrame:
    """What each entity row sees of `steps`: its features and its event_timestamp.

    Exactly one row out per entity row, in their order; all nulls where nothing was known.
    A row sees the newest event_timestamp <= its own; among those the newest
    created_timestamp; among equals the last of `steps`. Where the entities have a column
    `known_as_of` (at least their event_timestamp), steps created after it are not seen.
    A step without a created_timestamp counts as created at its event_timestamp. A step
    older than `ttl` is null, an age equal to it is not; a ttl of None or 0 never expires.
    Null keys match nothing. Both frames have `keys` and event_timestamp, of equal types
    and in UTC microseconds.

    Raises:
        EntityFrameError: event_timestamp has nulls, or known_as_of is earlier or null.
    """
    _check_times(entities)
    history = _in_time_order(steps, keys)
    places = _newest_places(entities, history, keys)
    if KNOWN_AS_OF in entities.columns:
        places = _known_places(entities, history, keys, places)
    hidden = [*keys, CREATED_TIMESTAMP]
    seen = steps.select(pl.all().exclude(hidden)).select(
        pl.all().gather(history.get_column(_ROW).gather(places))
    )
    return _without_expired(seen, entities.get_column(EVENT_TIMESTAMP), ttl)


def _check_times(entities: pl.DataFrame) -> None:
    for column in (EVENT_TIMESTAMP, KNOWN_AS_OF):
        if column in entities.columns and entities.get_column(column).has_nulls():
            raise EntityFrameError.nulls(column, entities.get_column(column).null_count())
    if KNOWN_AS_OF in entities.columns:
        early = entities.select((pl.col(KNOWN_AS_OF) < pl.col(EVENT_TIMESTAMP)).sum()).item()
        if early:
            raise EntityFrameError.known_too_early(early)


def _in_time_order(steps: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Keys, times and row numbers of the steps, ordered by event, then created, then row."""
    event = pl.col(EVENT_TIMESTAMP)
    created = event
    if CREATED_TIMESTAMP in steps.columns:
        created = pl.coalesce(CREATED_TIMESTAMP, event)
    history = (
        steps.select(*keys, event, created.alias(CREATED_TIMESTAMP))
        .with_row_index(_ROW)
        .drop_nulls([*keys, EVENT_TIMESTAMP])
    )
    if _is_in_time_order(history):
        return history
    return history.sort(EVENT_TIMESTAMP, CREATED_TIMESTAMP, maintain_order=True)


def _is_in_time_order(history: pl.DataFrame) -> bool:
    if not history.get_column(EVENT_TIMESTAMP).is_sorted():
        return False
    tie = pl.col(EVENT_TIMESTAMP) == pl.col(EVENT_TIMESTAMP).shift()
    backward = pl.col(CREATED_TIMESTAMP) < pl.col(CREATED_TIMESTAMP).shift()
    return not history.select((tie & backward).any()).item()


def _newest_places(entities: pl.DataFrame, history: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """For each entity row the place in `history` of the newest step at T; null for none."""
    rows = entities.select(*keys, EVENT_TIMESTAMP).with_row_index(_ROW).sort(EVENT_TIMESTAMP)
    joined = rows.join_asof(
        history.select(*keys, EVENT_TIMESTAMP).with_row_index(_PLACE),
        on=EVENT_TIMESTAMP,
        by=list(keys) or None,
        check_sortedness=False,
    )
    return joined.sort(_ROW).get_column(_PLACE)


def _known_places(
    entities: pl.DataFrame, history: pl.DataFrame, keys: Sequence[str], places: pl.Series
) -> pl.Series:
    """`places`, moved back to the last step of the same key that was known."""
    created = history.get_column(CREATED_TIMESTAMP).gather(places)
    unknown = (created > entities.get_column(KNOWN_AS_OF)).fill_null(False).arg_true()
    if unknown.is_empty():
        return places
    known = _walk_back(
        entities.select(*keys, KNOWN_AS_OF)[unknown], history, keys, places.gather(unknown)
    )
    moved = places.cast(pl.Int64).fill_null(-1).to_numpy().copy()
    moved[unknown.to_numpy()] = known
    return pl.Series(_PLACE, moved).replace(-1, None)


def _walk_back(
    entities: pl.DataFrame, history: pl.DataFrame, keys: Sequence[str], places: pl.Series
) -> Int64s:
    by_key = _key_after_key(history, entities, keys)
    place, group, created = (column.cast(pl.Int64).to_numpy() for column in by_key)
    rank = np.empty(len(history), dtype=np.int64)
    rank[place] = np.arange(len(place))
    starts = rank[places.to_numpy()]
    limits = entities.get_column(KNOWN_AS_OF).to_physical().to_numpy()
    found = last_at_most(created, starts, limits)
    same_key = (found >= 0) & (group[found] == group[starts])
    return np.where(same_key, place[found], -1)


def _key_after_key(
    history: pl.DataFrame, entities: pl.DataFrame, keys: Sequence[str]
) -> pl.DataFrame:
    """Place, group and created of the entities' keys only: each in time order, in turn."""
    placed = history.select(*keys, CREATED_TIMESTAMP).with_row_index(_PLACE)
    if not keys:
        return placed.select(_PLACE, pl.lit(0).alias(_GROUP), CREATED_TIMESTAMP)
    wanted = entities.select(keys).unique()
    return (
        placed.join(wanted, on=list(keys), how="semi", maintain_order="left")
        .group_by(keys)
        .agg(_PLACE, CREATED_TIMESTAMP)
        .with_row_index(_GROUP)
        .select(_PLACE, _GROUP, CREATED_TIMESTAMP)
        .explode(_PLACE, CREATED_TIMESTAMP)
    )


def _without_expired(seen: pl.DataFrame, at: pl.Series, ttl: timedelta | None) -> pl.DataFrame:
    if not ttl:
        return seen
    expired = at - seen.get_column(EVENT_TIMESTAMP) > ttl
    return seen.with_columns(pl.when(~expired).then(pl.all()))
