"""Why stored views were served other values than the join gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.contract.status_policy import StatusPolicy
from lockstep.parity.causes import EVIDENCE, causes
from lockstep.parity.joined import Joined, join_exact
from lockstep.parity.later_facts import COUNTS, FactSource, OwnRows
from lockstep.parity.same_values import differ_by_default, differ_by_type, differ_only, same_rows
from lockstep.parity.served_rows import ServedRows
from lockstep.parity.service_views import ListedView
from lockstep.parity.store_states import StoreStates
from lockstep.stores.asof import KNOWN_AS_OF
from lockstep.stores.column_types import UTC_TIME
from lockstep.stores.fingerprint import policy_tags
from lockstep.windows.spec import EVENT_TIMESTAMP

Booleans = NDArray[np.bool_]
_ROW = "__row"
_NEVER = -(2**63)


def is_same(rows: ServedRows, view: ListedView, other: Joined) -> Booleans:
    """The rows whose values of a listed view, and kind of its step, are those of `other`."""
    same = same_rows(rows.values.select(view.columns), other.frame)
    if not view.is_computed:
        same &= (rows.kinds.get_column(view.name) == other.kind(view.name)).to_numpy()
    return same


@dataclass(frozen=True)
class WhyStored:
    """Served rows beside the join at their T and beside what the store may have held.

    `facts` has the source of each stored view by its name in Feast; `erased` says of keys of a
    view, and of when they were answered, whether an erasure has touched them since.
    """

    rows: ServedRows
    exact: Joined
    states: StoreStates
    facts: Mapping[str, FactSource | OwnRows]
    erased: Callable[[str, pl.DataFrame, pl.Series], pl.Series]

    def causes_of(self, view: ListedView) -> pl.Series:
        """The cause of a listed view in each row.

        Raises as the offline join does, and:
            LakeError: the facts cannot be read.
        """
        is_exact = is_same(self.rows, view, self.exact)
        is_held = is_same(self.rows, view, self.states.held)
        evidence = self._behind(view.name, is_exact, is_held)
        return causes(
            evidence.with_columns(
                (self.is_erased(view.name) & ~pl.Series(is_held)).alias("is_erased"),
                pl.Series("is_in_flight", self._in_flight(view, ~(is_exact | is_held))),
                self.rows.kinds.get_column(view.name).cast(pl.String).alias("served_kind"),
                *self._by_value(view),
            )
        )

    def _in_flight(self, view: ListedView, unknown: Booleans) -> Booleans:
        """The unknown rows in which the store was caught between two runs."""
        # Mostly there are none, and then neither join is made.
        if not unknown.any():
            return unknown
        near = [is_same(self.rows, view, s) for s in (self.states.before, self.states.begun)]
        found = np.asarray(unknown & np.logical_or(*near))
        steps = self.rows.steps.get_column(view.name)
        held = self.states.held.event_us(view.name).fill_null(_NEVER)
        answered = self.rows.answered.to_physical()
        streamed = self.states.is_broken(view.name) & (steps >= held) & (steps <= answered)
        at = pl.Series(
            np.flatnonzero(unknown & ~found & streamed.fill_null(value=False).to_numpy())
        )
        if len(at):
            found[at.to_numpy()] = self._is_some_step(view, self.rows.take(at))
        return found

    def _is_some_step(self, view: ListedView, rows: ServedRows) -> Booleans:
        """Whether the step that was served is one that the lake has, as it was known then."""
        step = rows.steps.get_column(view.name).cast(UTC_TIME)
        entities = rows.entities.with_columns(
            step.alias(EVENT_TIMESTAMP), rows.answered.alias(KNOWN_AS_OF)
        )
        alone = self.states.views.alone(view.name)
        there = join_exact(self.states.store, alone, replace(rows, entities=entities))
        is_it = there.event_us(view.name) == rows.steps.get_column(view.name)
        same = same_rows(rows.values.select(view.columns), there.frame)
        return np.asarray(same & is_it.fill_null(value=False).to_numpy())

    def causes_of_held(self, view: str) -> pl.Series:
        """The cause of a view in each row, if the store's step by the ledger was served."""
        exact, held = self.exact, self.states.held
        same = (
            exact.event_us(view).eq_missing(held.event_us(view))
            & exact.created_us(view).eq_missing(held.created_us(view))
            & (exact.kind(view) == held.kind(view))
        )
        return causes(self._behind(view, same.to_numpy(), np.ones(len(self.rows), np.bool_)))

    def _behind(self, view: str, is_exact: Booleans, is_held: Booleans) -> pl.DataFrame:
        """What is known of a view but for what was served; nothing where no run had ended."""
        cut = self.states.cut_us(view)
        is_known = pl.Series(is_held) & cut.is_not_null()
        event, created = self.exact.event_us(view), self.exact.created_us(view)
        later = self._later(view, cut, is_known & (event <= cut) & (created > cut))
        kind = self.states.held.kind(view).cast(pl.String)
        unknown = pl.DataFrame(
            {
                name: pl.repeat(None, len(self.rows), dtype=d, eager=True)
                for name, d in EVIDENCE.items()
            }
        )
        return unknown.with_columns(
            # Where no run is known there is no other definition either.
            self.states.same_definition(view).fill_null(value=True).alias("same_definition"),
            pl.Series("is_exact", is_exact),
            is_known.alias("is_held"),
            self.exact.kind(view).cast(pl.String).alias("exact_kind"),
            kind.set(cut.is_null(), None).alias("held_kind"),
            event.alias("exact_event_us"),
            created.alias("exact_created_us"),
            cut.alias("cut_us"),
            *(later.get_column(name) for name in COUNTS),
        )

    def _later(self, view: str, cut: pl.Series, wanted: pl.Series) -> pl.DataFrame:
        """What the source has learnt of the wanted rows' entities since the cut; else null."""
        at = wanted.fill_null(value=False).arg_true()
        t = self.rows.entities.get_column(EVENT_TIMESTAMP).to_physical()
        stored = self.states.views.stored[view]
        asked = self._keys(view).with_columns(cut.alias("cut_us"), t.alias("t_us"))[at]
        found = self.facts[stored.name].later(asked).insert_column(0, at.alias(_ROW))
        rows = pl.DataFrame({_ROW: range(len(self.rows))}, {_ROW: at.dtype})
        return rows.join(found, on=_ROW, how="left", maintain_order="left").select(COUNTS)

    def is_erased(self, view: str) -> pl.Series:
        """Whether an erasure has touched the entity of a view since the row was answered."""
        name = self.states.views.stored[view].name
        return self.erased(name, self._keys(view), self.rows.answered)

    def _keys(self, view: str) -> pl.DataFrame:
        """The join keys of a view, in the order of its facts."""
        stored = self.states.views.stored[view]
        renamed = stored.projection.join_key_map
        return self.rows.entities.select(
            pl.col(renamed.get(key, key)).alias(key) for key in self.facts[stored.name].keys
        )

    def _by_value(self, view: ListedView) -> list[pl.Series]:
        """Whether all values that differ do so by a default, or all by their type.

        From the exact version of the step that was served, or else from the store's.
        """
        served = self.rows.steps.get_column(view.name)
        values = self.rows.values.select(view.columns)
        policy = StatusPolicy.of(policy_tags(self.states.views.service))
        defaults = list(policy.defaults.values())
        by_default = pl.repeat(None, len(self.rows), dtype=pl.Boolean, eager=True)
        by_type = by_default
        for state in (self.states.held, self.exact):
            is_step = served.eq_missing(state.event_us(view.name))
            default = differ_only(
                values, state.frame, partial(differ_by_default, defaults=defaults)
            )
            by_default = pl.Series(default).zip_with(is_step, by_default)
            narrower = differ_only(values, state.frame, differ_by_type)
            by_type = pl.Series(narrower).zip_with(is_step, by_type)
        return [by_default.alias("differs_by_default"), by_type.alias("differs_by_type")]
