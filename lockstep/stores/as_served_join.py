"""An entity frame joined to what the online store held at each T, instead of all that was known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from lockstep.stores.asof import ASKED_AT, KNOWN_AS_OF
from lockstep.stores.historical_join import ROWS_AT_ONCE, HistoricalJoin
from lockstep.stores.join_receipt import ViewAccount
from lockstep.stores.view_join import ViewJoin
from lockstep.stores.visibility import Visibility, VisibilityError
from lockstep.windows.spec import EVENT_TIMESTAMP


@dataclass(frozen=True)
class AsServedJoin:
    """`join`, whose rows see of each view what was visible at T, and whose ages count at T."""

    join: HistoricalJoin
    visibility: Visibility

    @property
    def entities(self) -> pl.DataFrame:
        """The rows that are joined."""
        return self.join.entities

    @property
    def views(self) -> list[ViewJoin]:
        """The views that they are joined to."""
        return list(self.join.views)

    @property
    def excludes(self) -> bool:
        """As in the join: whether steps that were created later are left out."""
        return self.join.exclude

    def with_views(self, views: list[ViewJoin]) -> AsServedJoin:
        """The same join to other views."""
        return replace(self, join=replace(self.join, views=views))

    def frame(self, accounts: dict[str, ViewAccount]) -> pl.DataFrame:
        """One row for each entity row, in order; `accounts` gets those of the views.

        Raises:
            SourceError: a view's table is absent or is not as declared.
            EntityFrameError: the entities cannot be joined.
            VisibilityError: it is not known what was visible of a view, or the entities have
                `known_as_of`, which says something else.
        """
        if KNOWN_AS_OF in self.entities.columns:
            raise VisibilityError.known_as_of()
        seen = [self._seen(view, accounts) for view in self.views]
        return pl.concat([self.entities, *seen], how="horizontal")

    def batches(self, accounts: dict[str, ViewAccount]) -> Iterator[pl.DataFrame]:
        """The rows of `frame`, one frame after another. Raises as `frame` does."""
        yield from self.frame(accounts).iter_slices(ROWS_AT_ONCE)

    def _seen(self, view: ViewJoin, accounts: dict[str, ViewAccount]) -> pl.DataFrame:
        t = self.entities.get_column(EVENT_TIMESTAMP)
        until = self.visibility.until(view.table.view.name, t)
        rows = self.entities.with_columns(t.alias(ASKED_AT), until.alias(EVENT_TIMESTAMP))
        joined = replace(self.join, entities=rows, views=[view]).frame(accounts)
        return joined.drop(rows.columns)
