"""A look for drift as gauges."""

from __future__ import annotations

from lockstep.monitoring.gauges import Gauges
from lockstep.parity.drift.result import DriftResult


def add_drift(gauges: Gauges, result: DriftResult) -> None:
    """What the last look found, number by number."""
    name = result.use_case
    for drift in result.drifts:
        gauges.add("lockstep_drift_psi", name, drift.name, value=drift.psi)
        gauges.add("lockstep_drift_ks", name, drift.name, value=drift.ks)
        gauges.add("lockstep_drift_null_share", name, drift.name, value=drift.now.null_share)
    reached = len(result.exceeded) + result.is_stale + result.is_other_volume
    gauges.add("lockstep_drift_exceeded", name, value=reached)
    gauges.add("lockstep_drift_unjudged", name, value=len(result.unjudged))
    then, now = result.rows_a_day
    gauges.add("lockstep_drift_volume", name, value=now / then)
    gauges.add("lockstep_drift_timestamp_seconds", name, value=result.at.timestamp())
