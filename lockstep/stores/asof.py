"""The point-in-time join: for each entity row the step that was known at its T.

Pure: Polars in, Polars out, no Feast and no files. The offline stores bring the frames, of
this process and of Spark's tasks alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from lockstep.stores.backward_search import Booleans, Int64s, last_at_most
from lockstep.stores.errors import EntityFrameError
from lockstep.stores.key_codes import key_codes
from lockstep.stores.step_order import StepOrder
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP

KNOWN_AS_OF = "known_as_of"
# T, of rows that see only what was visible by then: their event_timestamp is how far they see.
ASKED_AT = "__asked_at"


@dataclass(frozen=True)
class Seen:
    """Which step each entity row sees.

    `rows` are row numbers in the steps, null where nothing was known; `expired` says where
    what was known is too old, `future` where it was not known at T: a row that sees what was
    visible may see what came after T. `late` counts the rows whose newest step was created after
    their T: where known_as_of forbids it they see an older one, else they see it.
    """

    rows: pl.Series
    expired: pl.Series
    future: pl.Series
    late: int

    def of(self, steps: pl.DataFrame) -> pl.DataFrame:
        """The columns of `steps` as the rows see them: null where not found, expired or future."""
        hidden = self.expired | self.future
        rows = self.rows.set(hidden, None) if hidden.any() else self.rows
        return steps.select(pl.all().gather(rows))


def join_as_of(
    entities: pl.DataFrame,
    steps: pl.DataFrame,
    *,
    keys: Sequence[str],
    ttl: timedelta | None = None,
) -> pl.DataFrame:
    """What each entity row sees of `steps`: its features and its event_timestamp.

    Exactly one row out per entity row, in their order; all nulls where nothing was known,
    or it has expired. See `see_as_of`.
    """
    seen = see_as_of(entities, steps, keys=keys, ttl=ttl)
    return seen.of(steps.select(pl.all().exclude([*keys, CREATED_TIMESTAMP])))


def see_as_of(
    entities: pl.DataFrame,
    steps: pl.DataFrame,
    *,
    keys: Sequence[str],
    ttl: timedelta | None = None,
) -> Seen:
    """Which step each entity row sees.

    A row sees the newest event_timestamp <= its own; among those the newest
    created_timestamp; among equals the last of `steps`. Where the entities have a column
    `known_as_of` (at least their event_timestamp), steps created after it are not seen.
    A step without a created_timestamp counts as created at its event_timestamp. A step
    older than `ttl` has expired, one of just that age has not; a ttl of None or 0 never
    expires. Ages count at event_timestamp, or at ASKED_AT where the entities have that
    column. Null keys match nothing. Both frames have `keys` and event_timestamp, of equal
    types and in UTC microseconds.

    Raises:
        EntityFrameError: event_timestamp has nulls, or known_as_of is earlier or null.
    """
    _check_times(entities)
    codes, wanted = key_codes(steps, entities, keys)
    order = StepOrder.of(steps, codes)
    at = entities.get_column(EVENT_TIMESTAMP).to_physical().to_numpy()
    places = order.newest(wanted, at)
    found = places >= 0
    late = int(np.count_nonzero(order.created_at(places[found]) > at[found]))
    if late and KNOWN_AS_OF in entities.columns:
        known = entities.get_column(KNOWN_AS_OF).to_physical().to_numpy()
        places = _known_places(order, places, known)
        found = places >= 0
    rows = _row_numbers(order, places, found)
    expired = future = pl.repeat(False, len(at), dtype=pl.Boolean, eager=True)
    t = asked_at(entities)
    if ASKED_AT in entities.columns:
        times = [name for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP) if name in steps.columns]
        known_at = steps.select(pl.max_horizontal(times)).to_series().gather(rows)
        future = (known_at > t).fill_null(value=False)
    if ttl:
        age = t - steps.get_column(EVENT_TIMESTAMP).gather(rows)
        expired = (age > ttl).fill_null(False) & ~future
    return Seen(rows, expired, future, late)


def asked_at(entities: pl.DataFrame) -> pl.Series:
    """The T of each row."""
    return entities.get_column(ASKED_AT if ASKED_AT in entities.columns else EVENT_TIMESTAMP)


def _check_times(entities: pl.DataFrame) -> None:
    for column in (EVENT_TIMESTAMP, KNOWN_AS_OF):
        if column in entities.columns and entities.get_column(column).has_nulls():
            raise EntityFrameError.nulls(column, entities.get_column(column).null_count())
    if KNOWN_AS_OF in entities.columns:
        early = entities.select((pl.col(KNOWN_AS_OF) < pl.col(EVENT_TIMESTAMP)).sum()).item()
        if early:
            raise EntityFrameError.known_too_early(early)


def _known_places(order: StepOrder, places: Int64s, known: Int64s) -> Int64s:
    """`places`, moved back to the last step of the same key that was known; -1 for none."""
    unknown = np.flatnonzero((places >= 0) & (order.created_at(places) > known))
    starts = places[unknown]
    found = last_at_most(order.created[order.rows], starts, known[unknown])
    moved = places.copy()
    moved[unknown] = np.where(order.are_of_one_key(found, starts), found, -1)
    return moved


def _row_numbers(order: StepOrder, places: Int64s, found: Booleans) -> pl.Series:
    rows = np.zeros(len(places), dtype=np.uint32)
    rows[found] = order.rows[places[found]]
    return pl.select(pl.when(pl.Series(found)).then(pl.Series(rows))).to_series()
