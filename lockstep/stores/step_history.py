"""The steps of one view, read slice after slice of time instead of all at once."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from lockstep.stores.backward_search import Booleans, Int64s
from lockstep.stores.key_codes import key_codes
from lockstep.stores.newest import newest_per_key
from lockstep.stores.step_order import StepOrder
from lockstep.stores.view_join import ViewJoin
from lockstep.windows.microseconds import microseconds
from lockstep.windows.spec import CREATED_TIMESTAMP, EVENT_TIMESTAMP


class StepHistory:
    """A view's steps up to one instant after another.

    Of what came before a slice only that is held which a row in it or behind it can still
    see: for each key the newest step and, where rows do not see what was created after
    their T, also the newest one that was known when the slice began. What has expired for
    all rows is known by its times alone.
    """

    def __init__(
        self, view: ViewJoin, *, since: datetime | None, excludes_created_after: bool
    ) -> None:
        self._view = view
        self._since = since
        self._excludes = excludes_created_after
        self._held: pl.DataFrame | None = None

    def slice(self, after: datetime | None, until: datetime, *, is_last: bool) -> pl.DataFrame:
        """All that rows with after < T <= until can see; slices follow each other.

        The first one begins where `since` says, None for the first step of all.

        Raises:
            SourceError: the view's table is absent or is not as declared.
        """
        table = self._view.table.table
        if self._held is None:
            after, self._held = self._since, self._expired()
        new = table.collect(self._view.scan(after=after, until=until))
        steps = pl.concat([self._held, new], how="diagonal_relaxed").rechunk()
        if not is_last:
            self._held = steps[self._still_seen(steps, until)]
        return steps

    def _expired(self) -> pl.DataFrame:
        """Steps too old for all rows, without their features: they tell EXPIRED from NOT_FOUND.

        For each key the newest one, and one created as early as any.
        """
        table, keys = self._view.table.table, list(self._view.table.keys)
        if self._since is None:
            return pl.DataFrame()
        steps = self._view.scan(after=None, until=self._since, features=())
        created = CREATED_TIMESTAMP if self._view.has_created else None
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
        if self._excludes:
            known = order.created[order.rows] <= microseconds(until)
        return np.sort(order.rows[_from_the_last(known, order.keys)])


def _from_the_last(known: Booleans, keys: Int64s) -> Booleans:
    """Which places have no known one behind them among those of their key."""
    so_far = np.cumsum(known)
    ends = np.searchsorted(keys, keys, side="right") - 1
    none_behind: Booleans = so_far[ends] == so_far
    return none_behind
