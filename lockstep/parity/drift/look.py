"""One look at what was served lately, beside what the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from lockstep.contract.clock import Clock
from lockstep.contract.served_log import FEATURES_REQUEST_ID, LOGGED_AT, REQUEST_ID
from lockstep.contract.status import FeatureStatus
from lockstep.lake.lake import Lake
from lockstep.parity.drift.limits import DriftLimits, volume_limit
from lockstep.parity.drift.profile import Profile
from lockstep.parity.drift.reference import Reference
from lockstep.parity.drift.result import SCORE, Drift, DriftResult
from lockstep.parity.errors import DriftError
from lockstep.parity.served_log import ServedLog
from lockstep.parity.service_views import ServiceViews
from lockstep.parity.stale_budget import max_stale_share

if TYPE_CHECKING:
    from feast import FeatureStore

# Enough for shares of a thousandth; more would take longer and tell no more.
_MOST_ROWS = 200_000
_SECONDS_A_DAY = 86_400
_OLD = (FeatureStatus.STALE.value, FeatureStatus.EXPIRED.value)


@dataclass(frozen=True)
class ServedVersion:
    """The version of a model, its feature service and what it was trained on."""

    version: int
    service: str
    reference: Reference


def look_for_drift(
    store: FeatureStore,
    lake: Lake,
    use_case: str,
    served: ServedVersion,
    days: tuple[date | None, date | None],
    clock: Clock,
) -> DriftResult:
    """What the version was given on days of the log, UTC, from the first to the last; None for all.

    Values are those that were served, before any default of the service's policy.

    Raises:
        DriftError: it answered nothing then, its features are not in the log, or a tag is no
            limit.
        AuditError: its service is not registered.
        ServedLogError, LakeError: the log cannot be read.
    """
    log = ServedLog(lake, use_case)
    first, last = days
    chosen = [day for day in log.days() if (first or day) <= day <= (last or day)]
    told = log.predictions(chosen, served.service, [SCORE, "statuses"])
    answered = told.filter(pl.col("model_version") == served.version)
    if answered.is_empty():
        raise DriftError.nothing(use_case, served.version)
    drawn = answered.sample(min(_MOST_ROWS, answered.height), seed=1)
    given = log.features(served.service, chosen)
    given = given.filter(pl.col(FEATURES_REQUEST_ID).is_in(drawn[REQUEST_ID].implode()))
    views = ServiceViews.of(store, served.service)
    statuses = _statuses(drawn)
    budget = max_stale_share([views.service])
    times = answered.get_column(LOGGED_AT)
    begun, ended = times.min(), times.max()
    assert isinstance(begun, datetime)
    assert isinstance(ended, datetime)
    reference = served.reference
    return DriftResult(
        use_case=use_case,
        service=served.service,
        version=served.version,
        at=clock.now(),
        first=begun,
        last=ended,
        drifts=(
            _of_score(views, reference.score, drawn),
            *_of_features(store, views, reference.features, given, statuses),
        ),
        rows=answered.height,
        looked_at=drawn.height,
        rows_a_day=(reference.rows_a_day, _rate(answered.height, begun, ended)),
        stale_share=_share(drawn, _OLD),
        max_stale_share=budget,
        max_volume=volume_limit(views.service.name, views.service.tags),
    )


def _of_score(views: ServiceViews, reference: Profile, drawn: pl.DataFrame) -> Drift:
    now = Profile.of(drawn.get_column(SCORE).to_numpy(), reference.edges)
    limits = DriftLimits.of_tags(views.service.name, views.service.tags)
    return Drift(SCORE, "", reference, now, limits, {})


def _of_features(
    store: FeatureStore,
    views: ServiceViews,
    reference: Mapping[str, Profile],
    given: pl.DataFrame,
    statuses: Mapping[str, Mapping[str, int]],
) -> list[Drift]:
    columns = {f: c for v in views.listed for f, c in zip(v.features, v.columns, strict=True)}
    if gone := {name for name in reference if columns.get(name) not in given.columns}:
        raise DriftError.other_features(views.service.name, gone)
    found = []
    for view in views.listed:
        declared = views.stored.get(view.name) or store.registry.get_any_feature_view(
            view.name, store.project
        )
        limits = DriftLimits.of_tags(view.name, declared.tags)
        for feature, column in zip(view.features, view.columns, strict=True):
            # A model may have been fitted without it.
            if feature in reference:
                before = reference[feature]
                values = given.get_column(column).cast(pl.Float64).fill_null(float("nan"))
                now = Profile.of(values.to_numpy(), before.edges)
                told = statuses.get(feature, {})
                found.append(Drift(feature, view.name, before, now, limits, told))
    return found


def _statuses(drawn: pl.DataFrame) -> dict[str, dict[str, int]]:
    """How often each feature had each status."""
    cells = drawn.select(pl.col("statuses").explode()).unnest("statuses")
    counted = cells.group_by("feature", "status").len().sort("feature", "status")
    found: dict[str, dict[str, int]] = {}
    for feature, status, count in counted.rows():
        found.setdefault(feature, {})[status] = count
    return found


def _share(drawn: pl.DataFrame, statuses: Sequence[str]) -> float:
    """The share of rows in which a feature has one of these statuses."""
    is_one = pl.element().struct.field("status").is_in(list(statuses)).any()
    share = drawn.select(pl.col("statuses").list.eval(is_one).list.first().mean()).item()
    return float(share or 0.0)


def _rate(rows: int, first: datetime, last: datetime) -> float:
    """Rows a day; of less than a day those there were."""
    return rows / max(1.0, (last - first).total_seconds() / _SECONDS_A_DAY)
