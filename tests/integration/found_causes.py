"""Audits by what they found."""

from __future__ import annotations

from datetime import UTC, datetime

from lockstep.parity.audit_result import AuditedService, AuditResult
from lockstep.parity.causes import Cause


def audited(**causes: int) -> AuditResult:
    """An audit that found so many vectors of each cause."""
    told = {Cause[name].value: count for name, count in causes.items()}
    service = AuditedService("fraud_v1", sum(causes.values()), told, {}, {}, {}, ())
    at = datetime(2018, 5, 12, tzinfo=UTC)
    return AuditResult("fraud", "the log", at, None, None, (service,), {}, (), 0.0)
