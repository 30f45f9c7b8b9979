"""Gauges by name, filled one sample after another: what one look at the platform found."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily

_TEXTS = {
    "lockstep_up": "1 where that part answered the last time that it was asked.",
    "lockstep_collected_timestamp_seconds": "When this was looked at.",
    "lockstep_schedule_interval_seconds": "How often views are to be materialised.",
    "lockstep_view_max_age_seconds": "How far behind a view may be, as it declares.",
    "lockstep_view_horizon_timestamp_seconds": "The T before which a view in Redis is exact.",
    "lockstep_view_materialized_timestamp_seconds": "When a view's last materialisation ended.",
    "lockstep_view_materialized_duration_seconds": "How long it took.",
    "lockstep_view_materialized_rows": "How many rows it wrote.",
    "lockstep_table_horizon_timestamp_seconds": "The T before which a table in the lake is exact.",
    "lockstep_table_build_seconds": "How long the last build of a table took.",
    "lockstep_table_steps": "How many steps the last build of a table gave.",
    "lockstep_ingest_rows": "Rows of all ingested sources, by what became of them.",
    "lockstep_model_version": "The version that has an alias in the registry.",
    "lockstep_parity_vectors": "Vectors of the last audit, by what it says of them.",
    "lockstep_parity_unchecked": "Vectors that the last audit could not check.",
    "lockstep_parity_stale_share": "Share of compared vectors that were stale by a known cause.",
    "lockstep_parity_refused": "1 where nothing may be released on the last audit.",
    "lockstep_parity_audited_timestamp_seconds": "When the last audit was made.",
    "lockstep_parity_sql_values": "Values that the last audit looked up in SQL over raw events.",
    "lockstep_parity_sql_mismatches": "Those of them that are otherwise in SQL.",
    "lockstep_parity_live_vectors": "Vectors of the last minutes, by what a watch says of them.",
    "lockstep_parity_live_unchecked": "Vectors that a watch cannot compare yet.",
    "lockstep_parity_live_timestamp_seconds": "When a watch looked last.",
    "lockstep_drift_psi": "Population stability index of what is served against the training.",
    "lockstep_drift_ks": "Kolmogorov-Smirnov distance of the same.",
    "lockstep_drift_null_share": "Share of the served rows in which a feature is null.",
    "lockstep_drift_exceeded": "How many limits are reached, by numbers, stale rows and volume.",
    "lockstep_drift_unjudged": "How many of them had too few rows to be judged.",
    "lockstep_drift_volume": "Rows a day that were served, of those at training.",
    "lockstep_drift_timestamp_seconds": "When drift was looked for last.",
    "lockstep_promotion_refused": "1 where the challenger was judged and refused.",
}
_LABELS = {
    "lockstep_up": ("part",),
    "lockstep_collected_timestamp_seconds": (),
    "lockstep_schedule_interval_seconds": ("use_case",),
    "lockstep_ingest_rows": ("use_case", "outcome"),
    "lockstep_model_version": ("use_case", "alias"),
    "lockstep_promotion_refused": ("use_case",),
    "lockstep_parity_vectors": ("use_case", "cause"),
    "lockstep_parity_unchecked": ("use_case",),
    "lockstep_parity_stale_share": ("use_case",),
    "lockstep_parity_refused": ("use_case",),
    "lockstep_parity_audited_timestamp_seconds": ("use_case",),
    "lockstep_parity_sql_values": ("use_case",),
    "lockstep_parity_sql_mismatches": ("use_case",),
    "lockstep_parity_live_vectors": ("use_case", "cause"),
    "lockstep_parity_live_unchecked": ("use_case",),
    "lockstep_parity_live_timestamp_seconds": ("use_case",),
    "lockstep_drift_psi": ("use_case", "feature"),
    "lockstep_drift_ks": ("use_case", "feature"),
    "lockstep_drift_null_share": ("use_case", "feature"),
    "lockstep_drift_exceeded": ("use_case",),
    "lockstep_drift_unjudged": ("use_case",),
    "lockstep_drift_volume": ("use_case",),
    "lockstep_drift_timestamp_seconds": ("use_case",),
}
_OF_VIEWS, _OF_TABLES = ("use_case", "view"), ("use_case", "table")


class Gauges:
    """The samples of one look; a name that got none is not shown."""

    def __init__(self) -> None:
        self._families: dict[str, GaugeMetricFamily] = {}

    def add(self, name: str, *labels: str, value: float) -> None:
        """One sample; `labels` are in the order in which the metric declares them."""
        if name not in self._families:
            declared = _LABELS.get(name) or (
                () if name in _LABELS else _OF_VIEWS if "_view_" in name else _OF_TABLES
            )
            self._families[name] = GaugeMetricFamily(name, _TEXTS[name], labels=declared)
        self._families[name].add_metric(labels, value)

    def update(self, other: Gauges) -> None:
        """Takes over what another look found; no name is in both."""
        self._families |= other._families

    def families(self) -> Iterable[GaugeMetricFamily]:
        """What Prometheus is shown, by name."""
        return [self._families[name] for name in sorted(self._families)]
