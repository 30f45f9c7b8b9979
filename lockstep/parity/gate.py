"""What the last audit of a use case forbids: nothing is promoted or deployed on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lockstep.lake.lake import Lake
from lockstep.parity.audit_result import last_audit
from lockstep.parity.stale_budget import max_stale_share as declared_share

if TYPE_CHECKING:
    from feast import FeatureService


def parity_refusal(
    lake: Lake,
    use_case: str,
    services: Iterable[FeatureService],
    max_stale_share: float | None = None,
) -> str | None:
    """Why nothing may be released, "" where it may; None where there was no audit.

    So many vectors may be stale, by default as many as those of `services` declare that were
    audited.

    Raises:
        AuditError: the audit is damaged.
        StaleBudgetError: a service declares no share.
        LakeError: the lake cannot be reached.
    """
    last = last_audit(lake, use_case)
    if last is None:
        return None
    if max_stale_share is None:
        served = {service.service for service in last.services}
        max_stale_share = declared_share(service for service in services if service.name in served)
    refusal = last.refusal(max_stale_share)
    return refusal and f"{refusal} (audited {last.at:%Y-%m-%d %H:%M} UTC)"
