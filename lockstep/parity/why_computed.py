"""Why on-demand views were served other values than the join gives.

What follows from inputs as they were served has the cause of these inputs. The log does not
have all inputs: of a stored view that the service lists it has some values and the time of the
step, of others nothing. So each state of the store is tried in which that step stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.parity.causes import CAUSE_TYPE, Cause, worst_of
from lockstep.parity.joined import Joined
from lockstep.parity.same_values import Booleans, differ_by_type, differ_only, same_rows
from lockstep.parity.service_views import ListedView
from lockstep.parity.why_stored import WhyStored, is_same

if TYPE_CHECKING:
    from lockstep.stores.historical_job import HistoricalJob

Causes = NDArray[np.object_]
Places = NDArray[np.int_]
# Where these stand among the states.
_EXACT, _HELD = 0, 1


@dataclass(frozen=True)
class WhyComputed:
    """Served rows beside their join; `job` computes on-demand views of any inputs.

    `stored` has the causes of the listed stored views, by their names.
    """

    why: WhyStored
    job: HistoricalJob
    stored: Mapping[str, pl.Series]
    _may_have_been: dict[str, list[Booleans]] = field(default_factory=dict)

    def causes_of(self, view: ListedView) -> pl.Series:
        """The cause of a listed on-demand view in each row."""
        rows = self.why.rows
        exact = is_same(rows, view, self.why.exact)
        found = np.where(exact, Cause.MATCH.value, Cause.UNEXPLAINED.value).astype(object)
        left = ~exact
        for preferred in range(len(self._states)):
            if not left.any():
                break
            inputs = {name: self._chosen(name, preferred) for name in view.inputs}
            computed = self.job.computed(self._as_served(inputs)).select(view.columns)
            follows = left & same_rows(rows.values.select(view.columns), computed)
            inherited = self._inherited(inputs)[follows]
            # The same inputs and another output: that follows from nothing.
            found[follows] = np.where(inherited == Cause.MATCH, Cause.UNEXPLAINED.value, inherited)
            left &= ~follows
        narrower = differ_only(
            rows.values.select(view.columns), self.why.exact.frame, differ_by_type
        )
        of_exact = {name: self._chosen(name, _EXACT) for name in view.inputs}
        narrower &= left & (self._inherited(of_exact) == Cause.MATCH)
        found = np.where(narrower, Cause.TYPE_OR_ROUNDING.value, found)
        # What it was computed of may be gone.
        for name in view.inputs:
            erased = left & ~narrower & self.why.is_erased(name).to_numpy()
            found = np.where(erased, Cause.DELETED.value, found)
        return pl.Series("cause", found.tolist(), CAUSE_TYPE)

    @property
    def _states(self) -> list[Joined]:
        states = self.why.states
        return [self.why.exact, states.held, states.before, states.begun]

    def _chosen(self, view: str, preferred: int) -> Places:
        """For each row the state whose step of a view was served: the preferred one if it may be.

        -1 where it was that of none.
        """
        chosen = np.full(len(self.why.rows), -1)
        for place in (*reversed(range(len(self._states))), preferred):
            chosen[self._may_be(view)[place]] = place
        return chosen

    def _may_be(self, view: str) -> list[Booleans]:
        """For each state the rows in which its step of a view may have been served."""
        if view not in self._may_have_been:
            rows, listed = self.why.rows, {v.name: v for v in self.why.states.views.listed_stored}
            if view not in listed:
                # Nothing of it is logged.
                may = [np.ones(len(rows), np.bool_)] * len(self._states)
            else:
                step = rows.steps.get_column(view)
                may = [
                    is_same(rows, listed[view], state)
                    & step.eq_missing(state.event_us(view)).to_numpy()
                    for state in self._states
                ]
            self._may_have_been[view] = may
        return self._may_have_been[view]

    def _inherited(self, inputs: Mapping[str, Places]) -> Causes:
        """The worst cause among inputs, in each row."""
        match = pl.Series([Cause.MATCH], dtype=CAUSE_TYPE).new_from_index(0, len(self.why.rows))
        return worst_of([match, *map(self._cause_of, inputs, inputs.values())]).to_numpy()

    def _cause_of(self, view: str, chosen: Places) -> pl.Series:
        """The cause of an input, by the state whose step was served."""
        if view in self.stored:
            own = self.stored[view].to_numpy()
        else:
            own = np.full(len(chosen), Cause.UNEXPLAINED.value, object)
        if (chosen == _HELD).any():
            own = np.where(chosen == _HELD, self.why.causes_of_held(view).to_numpy(), own)
        own = np.where(chosen > _HELD, Cause.IN_FLIGHT.value, own)
        own = np.where(chosen == _EXACT, Cause.MATCH.value, own)
        return pl.Series(own.tolist(), dtype=CAUSE_TYPE)

    def _as_served(self, inputs: Mapping[str, Places]) -> pl.DataFrame:
        """The entities with all that on-demand views read: as logged, else of the chosen state."""
        frame = self.why.rows.entities.with_columns(
            column
            for name in self.why.states.views.stored
            for column in self.why.exact.frame.select(pl.col(f"^{name}__.*$")).iter_columns()
        )
        for name, chosen in inputs.items():
            columns = pl.col(f"^{name}__.*$")
            for place, state in enumerate(self._states):
                here = pl.Series(chosen == place)
                frame = frame.with_columns(
                    column.zip_with(here, frame.get_column(column.name))
                    for column in state.frame.select(columns).iter_columns()
                )
            nowhere = pl.Series(chosen < 0)
            frame = frame.with_columns(pl.when(~nowhere).then(columns).name.keep())
        return frame.with_columns(
            self.why.rows.values.select(
                c for v in self.why.states.views.listed_stored for c in v.columns
            ).get_columns()
        )
