"""The steps of one view, read slice after slice of time instead of all at once."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from lockstep.stores.backward_search import Booleans, Int64s
from lockstep.stores.key_codes import key_codes
from lockstep.stores.newest import newest_per_key
from lockstep.stores.newest_rows import Chosen, newest_rows
from lockstep.stores.step_order import StepOrder
from lockstep.stores.view_join import ViewJoin
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP


class StepHistory:
    """A view's steps up to one instant after another.

    Of what came before a slice only that is held which a row in it or behind it can still
    see: for each key the newest step and, where rows do not see what was created after
    their T, also the newest one that was known when the slice began. So is it with what came
    before the first row of all, of whose steps no others are read with their features. What
    has expired for all rows is known by its times alone.

    `first` is the event_timestamp of the first row, `aged_at` the first instant at which an
    age counts (see ASKED_AT). Rows that do not see what was created after some time
    see all that was created until `known_by`, the earliest of those times; None where rows
    see what was created later.
    """

    def __init__(
        self,
        view: ViewJoin,
        *,
        first: datetime,
        aged_at: datetime,
        known_by: datetime | None,
    ) -> None:
        self._view = view
        self._first = first
        self._since = view.since(min(first, aged_at))
        self._known_by = known_by
        self._held: pl.DataFrame | None = None

    def slice(self, after: datetime | None, until: datetime, *, is_last: bool) -> pl.DataFrame:
        """All that rows with after < T <= until can see; slices follow each other.

        The first one begins before the first row: None.

        Raises:
            SourceError: the view's table is absent or is not as declared.
        """
        table = self._view.table.table
        if self._held is None:
            after, self._held = self._first, self._before()
        new = table.collect(self._view.scan(after=after, until=until))
        steps = pl.concat([self._held, new], how="diagonal_relaxed").rechunk()
        if not is_last:
            self._held = steps[self._still_seen(steps, until)]
        return steps

    def _before(self) -> pl.DataFrame:
        """What rows see of the steps until the first row's T."""
        view, since = self._view, self._since
        known_by = self._known_by if view.table.has_created else None
        chosen = Chosen(
            self._first, known_by, None if since is None else pl.col(EVENT_TIMESTAMP) > since
        )
        seen = [self._expired(), *newest_rows(view.table, chosen=chosen, features=view.read)]
        if known_by is not None:
            later = view.scan(after=since, until=self._first).filter(~chosen.is_known)
            seen.append(view.table.table.collect(later))
        return pl.concat(seen, how="diagonal_relaxed")

    def _expired(self) -> pl.DataFrame:
        """Steps too old for all rows, without their features: they tell EXPIRED from NOT_FOUND.

        For each key the newest one, and one created as early as any.
        """
        table, keys = self._view.table.table, list(self._view.table.keys)
        if self._since is None:
            return pl.DataFrame()
        steps = self._view.scan(after=None, until=self._since, features=())
        created = CREATED_TIMESTAMP if self._view.table.has_created else None
        newest = newest_per_key(steps, keys, event=EVENT_TIMESTAMP, created=created)
        if created is None:
            return table.collect(newest, engine="streaming")
        known = pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP).alias(CREATED_TIMESTAMP)
        first = steps.drop_nulls([*keys, EVENT_TIMESTAMP]).with_columns(known)
        first = first.group_by(keys).agg(pl.all().min()) if keys else first.min()
        both = pl.concat([first.select(newest.collect_schema().names()), newest])
        return table.collect(both, engine="streaming")

    def _still_seen(self, steps: pl.DataFrame, until: datetime) -> Int64s:
        codes, _ = key_codes(steps, steps.clear(), list(self._view.table.keys))
        order = StepOrder.of(steps, codes)
        known = np.ones(len(order.rows), dtype=bool)
        if self._known_by is not None:
            known = order.created[order.rows] <= microseconds(until)
        return np.sort(order.rows[_from_the_last(known, order.keys)])


def _from_the_last(known: Booleans, keys: Int64s) -> Booleans:
    """Which places have no known one behind them among those of their key."""
    so_far = np.cumsum(known)
    ends = np.searchsorted(keys, keys, side="right") - 1
    none_behind: Booleans = so_far[ends] == so_far
    return none_behind
