"""What the online store may have held when served rows were answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from lockstep.parity.joined import Joined, join_held
from lockstep.parity.served_rows import ServedRows
from lockstep.parity.service_views import ServiceViews
from lockstep.parity.view_ledger import ViewLedger, held, held_if_begun
from lockstep.stores.ledger import Run
from lockstep.stores.materialization import layout_of
from lockstep.stores.visibility import Recorded
from lockstep.windows.microseconds import microseconds

if TYPE_CHECKING:
    from feast import FeatureStore

# A request reads the store a little before it is answered, and clocks differ a little.
SLACK = timedelta(seconds=5)


@dataclass(frozen=True)
class StoreStates:
    """The store at the instants at which `rows` were answered, by the ledgers of its views.

    `ledgers` are by the views' names in Feast; the views of the methods by those that the
    service has for them.
    """

    store: FeatureStore
    views: ServiceViews
    rows: ServedRows
    ledgers: Mapping[str, ViewLedger]

    @cached_property
    def held(self) -> Joined:
        """What the store held, by the runs that had ended."""
        return join_held(self.store, self.views, self.rows, held(self.ledgers), self.rows.answered)

    @cached_property
    def before(self) -> Joined:
        """What it held a moment before: of a run that has just ended perhaps nothing yet."""
        return self._at(held(self.ledgers), self.rows.answered - SLACK)

    @cached_property
    def begun(self) -> Joined:
        """What it would hold if runs that had begun, and those that broke off, had done all."""
        return self._at(held_if_begun(self.ledgers), self.rows.answered + SLACK)

    def _at(self, visibility: Recorded, at: pl.Series) -> Joined:
        """What the store held at other instants: joined for rows that then saw other runs alone."""
        moved = pl.repeat(value=False, n=len(self.rows), dtype=pl.Boolean, eager=True)
        for view in self.views.stored.values():
            then, now = visibility.until(view.name, at), self._until(view.name)
            moved |= then != now
        rows = moved.arg_true()
        if rows.is_empty():
            return self.held
        found = join_held(self.store, self.views, self.rows.take(rows), visibility, at.gather(rows))
        # The place of each row: of those that moved in `found`, of the others in `held`.
        place = pl.int_range(len(self.rows), eager=True).scatter(
            rows, pl.int_range(len(self.rows), len(self.rows) + len(rows), eager=True)
        )
        return Joined(pl.concat([self.held.frame, found.frame])[place])

    def is_broken(self, view: str) -> pl.Series:
        """Whether each row was answered in a stretch of a stream that broke off.

        Of such a stretch only what was known before it and at its end is on record.
        """
        answered = self.rows.answered
        found = pl.repeat(value=False, n=len(self.rows), dtype=pl.Boolean, eager=True)
        for run in self.ledgers[self.views.stored[view].name].unfinished:
            if isinstance(run, Run):
                found |= (answered >= run.started) & (answered < run.covered_end)
        return found

    def cut_us(self, view: str) -> pl.Series:
        """How far the last run reached that had ended; null where none had."""
        name = self.views.stored[view].name
        return self._until(name).to_physical().set(~self._has_run(name), None)

    def same_definition(self, view: str) -> pl.Series:
        """Whether the last run that had ended wrote rows of today's definition; null for no run."""
        stored = self.views.stored[view]
        ledger = self.ledgers[stored.name]
        now = layout_of(stored)
        ended = pl.DataFrame(
            {
                "at": [microseconds(run.finished) for run in ledger.runs],
                "same": [run.definition == now for run in ledger.runs],
            },
            {"at": pl.Int64, "same": pl.Boolean},
        ).sort("at")
        answered = self.rows.answered.to_physical().alias("at").to_frame().with_row_index("row")
        found = answered.sort("at").join_asof(ended, on="at", strategy="backward")
        return found.sort("row").get_column("same")

    def _until(self, name: str) -> pl.Series:
        """Until when what the store held of a view, by its name in Feast, was known."""
        return held(self.ledgers).until(name, self.rows.answered)

    def _has_run(self, name: str) -> pl.Series:
        ended = [run.finished for run in self.ledgers[name].runs]
        if not ended:
            return pl.repeat(value=False, n=len(self.rows), dtype=pl.Boolean, eager=True)
        return self.rows.answered >= min(ended)
