"""The log of what was served, replayed against the offline join.

Nothing is called the same that was not compared: what could not be is counted as unchecked,
with why.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from lockstep.contract.clock import Clock
from lockstep.contract.served_log import (
    EVENT_TIMESTAMP,
    FEATURES_REQUEST_ID,
    REQUEST_ID,
)
from lockstep.lake.lake import Lake
from lockstep.parity.audit_result import AuditedService, AuditResult
from lockstep.parity.audit_service import ServiceAudit
from lockstep.parity.causes import Cause
from lockstep.parity.erasure.touched import touched_rows
from lockstep.parity.errors import AuditError
from lockstep.parity.later_facts import FactSource, OwnRows
from lockstep.parity.served_log import ServedLog
from lockstep.parity.served_rows import ServedRows, served_rows
from lockstep.parity.service_views import ServiceViews
from lockstep.parity.store_rows import store_rows
from lockstep.parity.view_ledger import ViewLedger
from lockstep.stores.fingerprint import service_fingerprint
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore

# Told what is being done, and the share of all that is done, from 0 to 1.
Progress = Callable[[str, float], None]

NO_FEATURES = "predictions without features in the log"
NO_PREDICTION = "features without a prediction in the log"
_ROWS_AT_ONCE = 500_000


@dataclass
class Audit:
    """Audits the services of a use case; `specs` are the windows behind its views."""

    store: FeatureStore
    lake: Lake
    use_case: str
    specs: Sequence[WindowSpec]
    clock: Clock
    _services: dict[str, ServiceAudit] = field(default_factory=dict)

    def of_log(self, first: date | None, last: date | None, progress: Progress) -> AuditResult:
        """What was logged from day to day (UTC, both included); all, where they are None.

        Raises:
            ServedLogError: nothing was logged, or what the services do not serve.
            LakeError, SourceError: the lake, a table or the log cannot be read.
        """
        started = time.monotonic()
        log = ServedLog(self.lake, self.use_case)
        known = log.days()
        days = [d for d in known if (first or d) <= d <= (last or d)]
        account = _Account()
        account.problems += _missing(days, first, last)
        for done, day in enumerate(days):
            progress(f"auditing what was served on {day}", done / len(days))
            predictions = log.predictions([day])
            for (service,), asked in predictions.group_by(["feature_service"], maintain_order=True):
                self._add(account, log, str(service), day, asked)
            self._compare_waiting(account, at_least=_ROWS_AT_ONCE)
        self._compare_waiting(account, at_least=1)
        if not days:
            account.problems.append("the log has nothing of these days")
        return account.result(
            self.use_case, "the log", self.clock.now(), time.monotonic() - started
        )

    def of_store(self, url: str, service: str, entities: pl.DataFrame, at: datetime) -> AuditResult:
        """What the online store at `url` has of entities, for T of any time; see `store_rows`.

        Raises as `of_log` does, and:
            AuditError: the service is not registered.
            StoreUnavailableError: Redis does not answer.
        """
        started = time.monotonic()
        account = _Account()
        audit = self._service(service)
        audit = replace(audit, views=audit.views.stored_alone())
        rows = store_rows(url, self.store.project, audit.views, entities, at)
        self._compare(account, audit, rows)
        return account.result(self.use_case, "the online store", at, time.monotonic() - started)

    def _add(
        self, account: _Account, log: ServedLog, service: str, day: date, asked: pl.DataFrame
    ) -> None:
        requests = asked.unique(REQUEST_ID, keep="first", maintain_order=True)
        try:
            audit = self._service(service)
        except AuditError as error:
            account.unchecked[str(error)] += requests.height
            return
        now = service_fingerprint(
            audit.views.service,
            lambda name: self.store.registry.get_any_feature_view(name, self.store.project),
        )
        same = requests.filter(pl.col("fingerprint") == now)
        if other := requests.height - same.height:
            account.services[service] = account.of(service) + _by_definition(service, other)
        features = log.features(service, [day])
        logged = features.get_column(FEATURES_REQUEST_ID)
        account.count(
            NO_FEATURES, same.height - int(same[REQUEST_ID].is_in(logged.implode()).sum())
        )
        account.count(NO_PREDICTION, int((~logged.is_in(requests[REQUEST_ID].implode())).sum()))
        if same.is_empty() or features.is_empty():
            return
        account.waiting.setdefault(service, []).append(served_rows(audit.views, same, features))

    def _compare_waiting(self, account: _Account, *, at_least: int) -> None:
        """Compares the rows of services that have so many: a join's cost hardly depends on them."""
        for service, parts in account.waiting.items():
            if sum(map(len, parts)) >= at_least:
                self._compare(account, self._service(service), ServedRows.joined(parts))
                parts.clear()

    def _compare(self, account: _Account, audit: ServiceAudit, rows: ServedRows) -> None:
        t = rows.entities.get_column(EVENT_TIMESTAMP)
        for name, view in audit.views.stored.items():
            horizon = ViewTable(view, self.lake).table.horizon()
            if horizon is None:
                continue
            built = t < horizon
            if not built.all():
                why = f"T is not before {horizon.isoformat()}, up to which {name} is built"
                account.count(why, len(rows) - int(built.sum()))
                rows = rows.take(built.arg_true())
                t = rows.entities.get_column(EVENT_TIMESTAMP)
        if not len(rows):
            return
        account.problems += [
            problem
            for ledger in audit.ledgers.values()
            for problem in ledger.problems
            if problem not in account.problems
        ]
        account.saw(t)
        account.services[rows.service] = account.of(rows.service) + audit.audited(rows)

    def _service(self, name: str) -> ServiceAudit:
        if name not in self._services:
            views = ServiceViews.of(self.store, name)
            specs = {spec.name: spec for spec in self.specs}
            stored = {view.name: view for view in views.stored.values()}
            ledgers = {
                view.name: ViewLedger.read(self.lake, self.store.project, view)
                for view in stored.values()
            }
            facts = {
                view.name: FactSource.of_windows(self.lake, specs[view.name])
                if view.name in specs
                else OwnRows.of_view(self.lake, view)
                for view in stored.values()
            }
            erased = partial(touched_rows, self.lake, self.use_case)
            self._services[name] = ServiceAudit(
                self.store, self.lake, views, ledgers, facts, erased
            )
        return self._services[name]


@dataclass
class _Account:
    """What was found so far."""

    services: dict[str, AuditedService] = field(default_factory=dict)
    waiting: dict[str, list[ServedRows]] = field(default_factory=dict)
    unchecked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    first_t: datetime | None = None
    last_t: datetime | None = None

    def of(self, service: str) -> AuditedService:
        return self.services.get(service) or AuditedService.nothing(service)

    def count(self, why: str, rows: int) -> None:
        if rows:
            self.unchecked[why] += rows

    def saw(self, t: pl.Series) -> None:
        first, last = t.min(), t.max()
        assert isinstance(first, datetime)
        assert isinstance(last, datetime)
        self.first_t = min(first, self.first_t or first)
        self.last_t = max(last, self.last_t or last)

    def result(self, use_case: str, source: str, at: datetime, seconds: float) -> AuditResult:
        return AuditResult(
            use_case=use_case,
            source=source,
            at=at,
            first_t=self.first_t,
            last_t=self.last_t,
            services=tuple(self.services[name] for name in sorted(self.services)),
            unchecked=dict(self.unchecked),
            problems=tuple(self.problems),
            seconds=seconds,
        )


def _by_definition(service: str, vectors: int) -> AuditedService:
    """Vectors of a model of other definitions, which cannot be laid beside today's join."""
    told = {Cause.DEFINITION_VERSION.value: vectors}
    return AuditedService(service, vectors, told, {}, {}, {}, ())


def _missing(days: Sequence[date], first: date | None, last: date | None) -> list[str]:
    """The days without a log between those that have one, or were asked for."""
    if not days:
        return []
    start, end = first or days[0], last or days[-1]
    every = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    return [f"there is no log of {day}" for day in every if day not in set(days)]
