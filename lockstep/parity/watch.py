"""Parity while the API serves: the newest of its log, audited again and again.

What was found of the last minutes is one object in the lake, written anew each time. Where
vectors differ without a cause, that is kept as an audit like any other: the gate refuses on it,
and the alerts fire.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from lockstep.parity.audit import Audit
from lockstep.parity.audit_result import AuditedService, AuditResult, write_audit, write_look
from lockstep.parity.errors import AuditError
from lockstep.parity.served_log import ServedLog
from lockstep.parity.served_rows import ServedRows
from lockstep.parity.sql.result import SqlCheck


@dataclass
class ParityWatch:
    """Looks at what was logged since it looked last, at most `most` vectors each time.

    `auditing` opens what an audit reads, as it is now. What was found counts for `window`. Of
    vectors whose T is ahead of what is built the newest wait, as many again for each service.
    """

    auditing: Callable[[], Audit]
    most: int
    window: timedelta
    _read: frozenset[str] = frozenset()
    # By the fingerprint of their service.
    _ahead: dict[str, ServedRows] = field(default_factory=dict)
    _found: list[AuditResult] = field(default_factory=list)

    def look(self) -> AuditResult:
        """The account of the last `window`, which is in the lake then.

        Raises as `Audit.of_log` does.
        """
        audit = self.auditing()
        since = audit.clock.now() - self.window
        days = [since.date() + timedelta(days=n) for n in range(self.window.days + 2)]
        log = ServedLog(audit.lake, audit.use_case, days, self._read)
        ahead = [rows for name, rows in self._ahead.items() if _is_of(audit, rows.service, name)]
        found, later = audit.of_newest(log, since, self.most, ahead)
        self._read, self._ahead = log.keys(), _newest(audit, later, self.most)
        self._found = [one for one in self._found if one.at > since] + [found]
        account = _account(self._found)
        write_look(audit.lake, account)
        if found.compared and found.refusal():
            write_audit(audit.lake, found)
        return account


def _is_of(audit: Audit, service: str, fingerprint: str) -> bool:
    """Whether the service is still what it was when its rows were logged."""
    try:
        return audit.fingerprint(service) == fingerprint
    except AuditError:
        return False


def _newest(audit: Audit, later: Sequence[ServedRows], most: int) -> dict[str, ServedRows]:
    """The rows of each service in one, not more than `most` of them."""
    parts: dict[str, list[ServedRows]] = {}
    for rows in later:
        parts.setdefault(rows.service, []).append(rows)
    return {
        audit.fingerprint(service): ServedRows.joined(own).newest(most)
        for service, own in parts.items()
    }


def _account(found: Sequence[AuditResult]) -> AuditResult:
    """All of it together; what could not be checked is as the last one says."""
    services: dict[str, AuditedService] = {}
    for one in found:
        for service in one.services:
            name = service.service
            services[name] = services.get(name, AuditedService.nothing(name)) + service
    return replace(
        found[-1],
        first_t=min((one.first_t for one in found if one.first_t), default=None),
        last_t=max((one.last_t for one in found if one.last_t), default=None),
        services=tuple(services[name] for name in sorted(services)),
        sql=sum((one.sql for one in found), SqlCheck()),
    )
