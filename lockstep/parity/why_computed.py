"""Why on-demand views were served other values than the join gives.

What follows from inputs as they were served has the cause of these inputs. Of a stored view
that the service lists, the log has some values; the others are those of the step that was read,
in whichever state of the store had it. Of a view that it does not list, each state is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.parity.causes import CAUSE_TYPE, Cause, worst_of
from lockstep.parity.joined import Joined
from lockstep.parity.same_values import differ_by_type, differ_only, same_rows
from lockstep.parity.service_views import ListedView
from lockstep.parity.why_stored import WhyStored, is_same

if TYPE_CHECKING:
    from lockstep.stores.historical_job import HistoricalJob

Causes = NDArray[np.object_]


@dataclass(frozen=True)
class WhyComputed:
    """Served rows beside their join; `job` computes on-demand views of any inputs.

    `stored` has the causes of the listed stored views, by their names.
    """

    why: WhyStored
    job: HistoricalJob
    stored: Mapping[str, pl.Series]

    def causes_of(self, view: ListedView) -> pl.Series:
        """The cause of a listed on-demand view in each row."""
        rows = self.why.rows
        exact = is_same(rows, view, self.why.exact)
        found = np.where(exact, Cause.MATCH.value, Cause.UNEXPLAINED.value).astype(object)
        left = ~exact
        for state in self._states(view):
            if not left.any():
                break
            computed = self.job.computed(self._as_served(state)).select(view.columns)
            follows = left & same_rows(rows.values.select(view.columns), computed)
            inherited = self._inherited(view, state)[follows]
            # The same inputs and another output: that follows from nothing.
            found[follows] = np.where(inherited == Cause.MATCH, Cause.UNEXPLAINED.value, inherited)
            left &= ~follows
        narrower = differ_only(
            rows.values.select(view.columns), self.why.exact.frame, differ_by_type
        )
        narrower &= left & (self._inherited(view, self.why.exact) == Cause.MATCH)
        found = np.where(narrower, Cause.TYPE_OR_ROUNDING.value, found)
        return pl.Series("cause", found.tolist(), CAUSE_TYPE)

    def _states(self, view: ListedView) -> list[Joined]:
        """Where the steps of views may be from that are read and not listed."""
        states = self.why.states
        tried = [self.why.exact, states.held, states.before, states.begun]
        return tried if set(view.inputs) - set(self.stored) else tried[:1]

    def _inherited(self, view: ListedView, state: Joined) -> Causes:
        """The worst cause among a view's inputs, in each row."""
        count = len(self.why.rows)
        causes = [pl.repeat(Cause.MATCH.value, count, dtype=CAUSE_TYPE, eager=True)]
        for name in view.inputs:
            if name in self.stored:
                causes.append(self.stored[name])
            elif state is self.why.states.held:
                causes.append(self.why.causes_of_hidden(name))
            elif state is not self.why.exact:
                causes.append(pl.repeat(Cause.IN_FLIGHT.value, count, dtype=CAUSE_TYPE, eager=True))
        return worst_of(causes).to_numpy()

    def _as_served(self, state: Joined) -> pl.DataFrame:
        """The entities with all that on-demand views read, as it was served."""
        columns: list[pl.Series] = []
        for name in self.why.states.views.stored:
            held = self._steps_served[name] if name in self.stored else state.frame
            columns += [c for c in held.iter_columns() if c.name.startswith(f"{name}__")]
        return self.why.rows.entities.with_columns(columns)

    @cached_property
    def _steps_served(self) -> dict[str, pl.DataFrame]:
        """For each listed stored view all of its columns, of the step that was served."""
        rows, states = self.why.rows, self.why.states
        found = {}
        for view in states.views.listed_stored:
            step = rows.steps.get_column(view.name)
            frame = None
            for state in (states.begun, states.before, states.held, self.why.exact):
                own = state.frame.select(pl.col(f"^{view.name}__.*$"))
                has_step = step.eq_missing(state.event_us(view.name)) & (
                    rows.kinds.get_column(view.name) == state.kind(view.name)
                )
                base = own.clear(len(rows)) if frame is None else frame
                frame = pl.DataFrame(
                    [c.zip_with(has_step, base.get_column(c.name)) for c in own.iter_columns()]
                )
            assert frame is not None
            found[view.name] = frame.with_columns(rows.values.select(view.columns).get_columns())
        return found
