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
    LOGGED_AT,
    REQUEST_ID,
)
from lockstep.lake.lake import Lake
from lockstep.parity.audit_result import AuditedService, AuditResult
from lockstep.parity.audit_service import ServiceAudit
from lockstep.parity.causes import Cause
from lockstep.parity.erasure.touched import touched_rows
from lockstep.parity.errors import AuditError
from lockstep.parity.later_facts import FactSource, OwnRows
from lockstep.parity.sample import sampled_entities
from lockstep.parity.served_log import ServedLog
from lockstep.parity.served_rows import (
    ServedRows,
    served_rows,
    status_columns,
    unread_columns,
)
from lockstep.parity.service_views import ServiceViews
from lockstep.parity.sql.result import SqlCheck
from lockstep.parity.store_rows import store_rows
from lockstep.parity.view_ledger import ViewLedger
from lockstep.stores.fingerprint import service_fingerprint
from lockstep.stores.view_table import ViewTable
from lockstep.windows.spec import WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

# Told what is being done, and the share of all that is done, from 0 to 1.
Progress = Callable[[str, float], None]

NO_FEATURES = "predictions without features in the log"
NO_PREDICTION = "features without a prediction in the log"
_ROWS_AT_ONCE = 500_000
SQL_ROWS = 1_000
_TICK = timedelta(microseconds=1)


@dataclass
class Audit:
    """Audits the services of a use case; `specs` are the windows behind its views.

    Of what each service served `sql_rows` vectors are drawn whose join is laid beside SQL.
    """

    store: FeatureStore
    lake: Lake
    use_case: str
    specs: Sequence[WindowSpec]
    clock: Clock
    sql_rows: int = SQL_ROWS
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
            for service in log.asked([day]):
                if (read := self._read(account, log, service, [day])) is not None:
                    self._add(account, *read)
            self._compare_waiting(account, at_least=_ROWS_AT_ONCE)
        self._compare_waiting(account, at_least=1)
        if not days:
            account.problems.append("the log has nothing of these days")
        return self._result(account, "the log", self.clock.now(), started)

    def of_newest(
        self, log: ServedLog, since: datetime, most: int, ahead: Sequence[ServedRows]
    ) -> tuple[AuditResult, list[ServedRows]]:
        """Of each service the newest rows of `log` answered after `since`, at most so many.

        With them those of `ahead`, whose T was ahead of what was built at an earlier call; the
        second of what is returned is for a later one.

        Raises as `of_log` does.
        """
        started = time.monotonic()
        account = _Account()
        days = log.days()
        for service in log.asked(days) if days else []:
            if (read := self._read(account, log, service, days)) is not None:
                audit, asked, features = read
                newest = asked.filter(pl.col(LOGGED_AT) > since).sort(LOGGED_AT).tail(most)
                own = pl.col(FEATURES_REQUEST_ID).is_in(newest[REQUEST_ID].implode())
                self._add(account, audit, newest, features.filter(own))
        for rows in ahead:
            account.waiting.setdefault(rows.service, []).append(rows)
        self._compare_waiting(account, at_least=1)
        result = self._result(account, "the newest of the log", self.clock.now(), started)
        return result, account.ahead

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
        return self._result(account, "the online store", at, started)

    def of_online(self, url: str, services: Sequence[str], count: int) -> AuditResult:
        """What the online store at `url` has of up to `count` entities of each stored view.

        Of the views behind `services`, at the last instant of which their materialisation tells.

        Raises as `of_store` does.
        """
        started, now = time.monotonic(), self.clock.now()
        account = _Account()
        seen = set[str]()
        for audit in map(self._service, services):
            for name, view in audit.views.stored.items():
                if view.name in seen:
                    continue
                seen.add(view.name)
                if (t := self._last_told(audit.ledgers[view.name], view)) is None:
                    account.problems.append(f"nothing of {view.name} was materialised")
                    continue
                alone = replace(audit, views=audit.views.alone(name))
                entities = sampled_entities(ViewTable(view, self.lake), count, t)
                rows = store_rows(url, self.store.project, alone.views, entities, now)
                self._compare(account, alone, rows)
        return self._result(account, "the online store", now, started)

    def _last_told(self, ledger: ViewLedger, view: FeatureView) -> datetime | None:
        """The last T at which the store is to have all that the table has."""
        built = ViewTable(view, self.lake).table.horizon()
        ends = [run.covered_end for run in ledger.runs]
        return self._last_in(min(built, max(ends)), view) if built and ends else None

    def _last_in(self, end: datetime, view: FeatureView) -> datetime:
        """The last T of which steps up to `end` tell: the snapshot at `end` is among them."""
        snapshots = any(spec.snapshots for spec in self.specs if spec.name == view.name)
        return end if snapshots else end - _TICK

    def fingerprint(self, service: str) -> str:
        """What the service computes, as models and their log name it.

        Raises:
            AuditError: the service is not registered.
        """
        return service_fingerprint(
            self._service(service).views.service,
            lambda name: self.store.registry.get_any_feature_view(name, self.store.project),
        )

    def _read(
        self, account: _Account, log: ServedLog, service: str, days: Sequence[date]
    ) -> tuple[ServiceAudit, pl.DataFrame, pl.DataFrame] | None:
        """What the log has of a service: answers and features; None for one that is gone."""
        try:
            audit = self._service(service)
        except AuditError as error:
            gone = log.predictions(days, service).get_column(REQUEST_ID).n_unique()
            account.unchecked[str(error)] += gone
            return None
        asked = log.predictions(days, service, status_columns(audit.views))
        return audit, asked, log.features(service, days, unread_columns(audit.views))

    def _add(
        self, account: _Account, audit: ServiceAudit, asked: pl.DataFrame, features: pl.DataFrame
    ) -> None:
        service = audit.views.service.name
        requests = asked.unique(REQUEST_ID, keep="first", maintain_order=True)
        same = requests.filter(pl.col("fingerprint") == self.fingerprint(service))
        if other := requests.height - same.height:
            account.services[service] = account.of(service) + _by_definition(service, other)
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
        for name, view in audit.views.stored.items():
            horizon = ViewTable(view, self.lake).table.horizon()
            if horizon is None:
                continue
            built = rows.entities.get_column(EVENT_TIMESTAMP) <= self._last_in(horizon, view)
            if not built.all():
                why = f"T is not before {horizon.isoformat()}, up to which {name} is built"
                account.count(why, len(rows) - int(built.sum()))
                account.ahead.append(rows.take((~built).arg_true()))
                rows = rows.take(built.arg_true())
        if not len(rows):
            return
        account.problems += [
            problem
            for ledger in audit.ledgers.values()
            for problem in ledger.problems
            if problem not in account.problems
        ]
        account.saw(rows.entities.get_column(EVENT_TIMESTAMP))
        account.services[rows.service] = account.of(rows.service) + audit.audited(rows)
        if self.sql_rows:
            account.drawn.append((audit, _drawn(rows, self.sql_rows)))

    def _result(self, account: _Account, source: str, at: datetime, started: float) -> AuditResult:
        """All of it, and what SQL says of some: one look for each set of views."""
        parts: dict[int, tuple[ServiceAudit, list[ServedRows]]] = {}
        for audit, rows in account.drawn:
            parts.setdefault(id(audit), (audit, []))[1].append(rows)
        checked = [
            audit.checked_in_sql(_drawn(ServedRows.joined(rows), self.sql_rows))
            for audit, rows in parts.values()
        ]
        return account.result(
            self.use_case, source, at, sum(checked, SqlCheck()), time.monotonic() - started
        )

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
                self.store, self.lake, views, ledgers, facts, erased, specs
            )
        return self._services[name]


@dataclass
class _Account:
    """What was found so far."""

    services: dict[str, AuditedService] = field(default_factory=dict)
    waiting: dict[str, list[ServedRows]] = field(default_factory=dict)
    # What could not be compared, since its T is ahead of what is built.
    ahead: list[ServedRows] = field(default_factory=list)
    unchecked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    # Of what was compared, those whose join is laid beside SQL in the end.
    drawn: list[tuple[ServiceAudit, ServedRows]] = field(default_factory=list)
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

    def result(
        self, use_case: str, source: str, at: datetime, sql: SqlCheck, seconds: float
    ) -> AuditResult:
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
            sql=sql,
        )


def _drawn(rows: ServedRows, count: int) -> ServedRows:
    """As many of them, the same ones each time."""
    if len(rows) <= count:
        return rows
    return rows.take(pl.int_range(len(rows), eager=True).sample(count, seed=1).sort())


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
