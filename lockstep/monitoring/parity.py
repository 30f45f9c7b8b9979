"""An audit as gauges."""

from __future__ import annotations

from lockstep.monitoring.gauges import Gauges
from lockstep.parity.audit_result import AuditResult
from lockstep.parity.causes import Cause


def add_audit(gauges: Gauges, result: AuditResult, max_stale_share: float | None) -> None:
    """What an audit found; a cause that no vector has is shown as 0, to be seen going."""
    name, causes = result.use_case, result.causes
    for cause in Cause:
        gauges.add("lockstep_parity_vectors", name, cause.value, value=causes[cause])
    gauges.add("lockstep_parity_unchecked", name, value=sum(result.unchecked.values()))
    gauges.add("lockstep_parity_stale_share", name, value=result.stale_share)
    refused = bool(result.refusal(max_stale_share))
    gauges.add("lockstep_parity_refused", name, value=refused)
    gauges.add("lockstep_parity_audited_timestamp_seconds", name, value=result.at.timestamp())
    gauges.add("lockstep_parity_sql_values", name, value=result.sql.values)
    gauges.add("lockstep_parity_sql_mismatches", name, value=result.sql.mismatches)


def add_look(gauges: Gauges, account: AuditResult) -> None:
    """What a watch found of the last minutes."""
    name, causes = account.use_case, account.causes
    for cause in Cause:
        gauges.add("lockstep_parity_live_vectors", name, cause.value, value=causes[cause])
    waiting = sum(account.unchecked.values())
    gauges.add("lockstep_parity_live_unchecked", name, value=waiting)
    gauges.add("lockstep_parity_live_timestamp_seconds", name, value=account.at.timestamp())
