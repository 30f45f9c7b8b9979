"""The served vectors of one service beside their offline join, counted by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockstep.lake.lake import Lake
from lockstep.parity.audit_result import EXAMPLES, AuditedService, Example, few
from lockstep.parity.causes import CAUSE_TYPE, Cause, worst_of
from lockstep.parity.hints import hints
from lockstep.parity.joined import Joined, job_of, join_exact
from lockstep.parity.later_facts import FactSource, OwnRows
from lockstep.parity.same_values import Booleans, same_bits
from lockstep.parity.served_rows import ServedRows
from lockstep.parity.service_views import ListedView, ServiceViews
from lockstep.parity.sql.check import check_in_sql
from lockstep.parity.sql.result import SqlCheck
from lockstep.parity.store_states import StoreStates
from lockstep.parity.view_ledger import ViewLedger
from lockstep.parity.why_computed import WhyComputed
from lockstep.parity.why_stored import WhyStored, is_same
from lockstep.windows.microseconds import SECOND_US
from lockstep.windows.spec import EVENT_TIMESTAMP, WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore

# How long before T the last materialisation reached, up to so many seconds.
_AGES = {"1m": 60, "10m": 600, "1h": 3_600, "6h": 21_600, "1d": 86_400, "7d": 604_800}
_OLDER, _NEVER = "more", "never materialised"
_NO_CAUSES = pl.Series([], dtype=CAUSE_TYPE)


@dataclass(frozen=True)
class ServiceAudit:
    """One service, its views, what the ledger has of them and where their facts are.

    `ledgers`, `facts` and `specs` are by the views' names in Feast; `erased` is as in `WhyStored`.
    """

    store: FeatureStore
    lake: Lake
    views: ServiceViews
    ledgers: Mapping[str, ViewLedger]
    facts: Mapping[str, FactSource | OwnRows]
    erased: Callable[[str, pl.DataFrame, pl.Series], pl.Series]
    specs: Mapping[str, WindowSpec]

    def checked_in_sql(self, rows: ServedRows) -> SqlCheck:
        """The join of these rows beside SQL over raw events; see `check_in_sql`."""
        return check_in_sql(self.store, self.lake, self.views, self.specs, rows)

    def audited(self, rows: ServedRows) -> AuditedService:
        """The account of served rows.

        Raises as the offline join does, and:
            LakeError: the facts cannot be read.
        """
        exact = join_exact(self.store, self.views, rows)
        same = {view.name: is_same(rows, view, exact) for view in self.views.listed}
        at = pl.Series(np.flatnonzero(~np.logical_and.reduce(list(same.values()))))
        differing = _Differing.of(self, rows.take(at), Joined(exact.frame[at]))
        return AuditedService(
            service=rows.service,
            vectors=len(rows),
            causes=_counts(differing.worst, len(rows)),
            views={name: _counts(one, len(rows)) for name, one in differing.causes.items()},
            features=differing.features(),
            ages=self._ages(rows, same),
            examples=differing.examples(),
            hints=differing.hints(self.lake),
        )

    def _ages(self, rows: ServedRows, same: Mapping[str, Booleans]) -> dict[str, tuple[int, int]]:
        """The stored views of all rows, and those that differ, by the age of what was told."""
        counted = dict.fromkeys([*_AGES, _OLDER, _NEVER], (0, 0))
        t = rows.entities.get_column(EVENT_TIMESTAMP).to_physical()
        states = StoreStates(self.store, self.views, rows, self.ledgers)
        for view in self.views.listed_stored:
            age = ((t - states.cut_us(view.name)) / SECOND_US).fill_null(np.nan).to_numpy()
            place = np.searchsorted(list(_AGES.values()), age)
            place[np.isnan(age)] = len(_AGES) + 1
            differs = ~same[view.name]
            for name, at in zip(counted, range(len(counted)), strict=True):
                here = place == at
                total, wrong = counted[name]
                counted[name] = total + int(here.sum()), wrong + int((here & differs).sum())
        return {name: counts for name, counts in counted.items() if counts[0]}


@dataclass(frozen=True)
class _Differing:
    """The rows that differ from the join somewhere, and the cause of each view in them."""

    rows: ServedRows
    why: WhyStored
    causes: Mapping[str, pl.Series]

    @classmethod
    def of(cls, audit: ServiceAudit, rows: ServedRows, exact: Joined) -> _Differing:
        states = StoreStates(audit.store, audit.views, rows, audit.ledgers)
        why = WhyStored(rows, exact, states, audit.facts, audit.erased)
        if not len(rows):
            return cls(rows, why, {})
        stored = {view.name: why.causes_of(view) for view in audit.views.listed_stored}
        computing = WhyComputed(why, job_of(audit.store, audit.views, rows), stored)
        return cls(
            rows,
            why,
            {
                view.name: computing.causes_of(view) if view.is_computed else stored[view.name]
                for view in audit.views.listed
            },
        )

    @property
    def worst(self) -> pl.Series:
        """The cause of each row."""
        return worst_of(list(self.causes.values())) if self.causes else _NO_CAUSES

    def features(self) -> dict[str, dict[str, int]]:
        """The values that differ, by feature's column and cause."""
        found = {}
        for view in self._listed:
            for column in view.columns:
                differs = pl.Series(~self._same(column))
                if differs.any():
                    found[column] = _counts(self.causes[view.name].filter(differs), 0)
        return found

    def examples(self) -> tuple[Example, ...]:
        """A few values of each cause, of rows that have it as their worst."""
        found = []
        for view in self._listed:
            worst_here = self.causes[view.name] == self.worst
            for column in view.columns:
                differs = pl.Series(~self._same(column)) & worst_here
                for cause in self.causes[view.name].filter(differs).unique():
                    has_it = (differs & (self.causes[view.name] == cause)).arg_true()
                    found += [self._example(row, view, column) for row in has_it.head(EXAMPLES)]
        return few(found)

    def hints(self, lake: Lake) -> Counter[str]:
        """What unexplained answers of stored views look like."""
        found = Counter[str]()
        for view in self._listed:
            rows = (self.causes[view.name] == Cause.UNEXPLAINED.value).arg_true()
            if len(rows) and not view.is_computed:
                found += hints(lake, self.why.states.views, view, self.rows.take(rows))
        return found

    @property
    def _listed(self) -> list[ListedView]:
        return [view for view in self.why.states.views.listed if view.name in self.causes]

    def _same(self, column: str) -> Booleans:
        return same_bits(
            self.rows.values.get_column(column), self.why.exact.frame.get_column(column)
        )

    def _example(self, row: int, view: ListedView, column: str) -> Example:
        return Example(
            request_id=self.rows.request_ids[row],
            t=self.rows.entities.get_column(EVENT_TIMESTAMP)[row].isoformat(),
            view=view.name,
            feature=column.removeprefix(f"{view.name}__"),
            cause=self.causes[view.name][row],
            served=self.rows.values.get_column(column)[row],
            exact=self.why.exact.frame.get_column(column)[row],
            held=self.why.states.held.frame.get_column(column)[row],
        )


def _counts(causes: pl.Series, rows: int) -> dict[str, int]:
    """How often each cause stands in `causes`; the rows beyond them match."""
    found = Counter(causes.to_list())
    found[Cause.MATCH.value] += max(0, rows - len(causes))
    return {cause.value: found[cause.value] for cause in Cause if found[cause.value]}
