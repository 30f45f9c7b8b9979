"""One look at the platform: what Redis, the lake and the registry of models say of themselves.

Everything is read from what the jobs leave behind, so nothing is lost where a job ends early,
and nobody has to push.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from lockstep.contract.clock import Clock
from lockstep.contract.model_artefact import CHALLENGER
from lockstep.contract.model_registry import RegistryError, model_registry
from lockstep.errors import LockstepError
from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.monitoring.drift import add_drift
from lockstep.monitoring.freshness import max_age
from lockstep.monitoring.gauges import Gauges
from lockstep.monitoring.parity import add_audit, add_look
from lockstep.parity.audit_result import last_audit, last_look
from lockstep.parity.drift.result import last_drift
from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.marks import Marks
from lockstep.stores.online import LockstepOnlineStore

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig

    from lockstep.windows.spec import WindowSpec

_log = structlog.get_logger(__name__)

_SQLITE = "sqlite:///"
_OUTCOMES = ("accepted", "already_there", "rejected", "corrections", "deletions", "late")


@dataclass(frozen=True)
class WatchedUseCase:
    """A use case by what it defines; of vectors that it serves so many may be stale."""

    name: str
    views: Sequence[FeatureView]
    specs: Sequence[WindowSpec]
    max_stale_share: float | None = None


@dataclass(frozen=True)
class Watched:
    """What is looked at, and how often views of `scheduled` use cases are to be materialised.

    None are all.
    """

    use_cases: Sequence[WatchedUseCase]
    config: RepoConfig
    lake: Lake
    tracking_uri: str
    schedule_seconds: int
    scheduled: frozenset[str] = frozenset()
    online: LockstepOnlineStore = field(default_factory=LockstepOnlineStore)


def collect(watched: Watched, clock: Clock) -> Gauges:
    """What is known now. A part that does not answer is shown as down, and tells nothing else.

    Only use cases of which a table was built are shown: others are in nobody's use.
    """
    gauges = Gauges()
    gauges.add("lockstep_collected_timestamp_seconds", value=clock.now().timestamp())
    for part, (look, down) in _LOOKS.items():
        found = Gauges()
        try:
            look(watched, found)
        except LockstepError as error:
            _log.warning("looking failed", part=part, why=str(error))
            # Another error, such as a damaged record or a lake that says not what is in Redis,
            # tells nothing of whether the part is up.
            if isinstance(error, down):
                gauges.add("lockstep_up", part, value=0)
        else:
            gauges.update(found)
            gauges.add("lockstep_up", part, value=1)
    return gauges


def _look_at_lake(watched: Watched, gauges: Gauges) -> None:
    for use_case in watched.use_cases:
        receipts: dict[str, Mapping[str, Any]] = {}
        for source in dict.fromkeys(spec.source for spec in use_case.specs):
            receipts |= watched.lake.table(source).metadata().get("ingests", {})
        if receipts:
            for outcome in _OUTCOMES:
                rows = sum(receipt[outcome] for receipt in receipts.values())
                gauges.add("lockstep_ingest_rows", use_case.name, outcome, value=rows)
        for name, metadata in _built(watched.lake, use_case).items():
            place, build = (use_case.name, name), metadata["build"]
            horizon = datetime.fromisoformat(metadata["horizon"])
            gauges.add(
                "lockstep_table_horizon_timestamp_seconds", *place, value=horizon.timestamp()
            )
            gauges.add("lockstep_table_build_seconds", *place, value=build["seconds"])
            gauges.add("lockstep_table_steps", *place, value=build["steps"])


def _look_at_audits(watched: Watched, gauges: Gauges) -> None:
    for use_case in watched.use_cases:
        if (last := last_audit(watched.lake, use_case.name)) is not None:
            add_audit(gauges, last, use_case.max_stale_share)
        if (look := last_look(watched.lake, use_case.name)) is not None:
            add_look(gauges, look)
        if (drift := last_drift(watched.lake, use_case.name)) is not None:
            add_drift(gauges, drift)


def _look_at_views(watched: Watched, gauges: Gauges) -> None:
    """What was declared is shown of every view that was built, materialised or not."""
    for use_case in watched.use_cases:
        # Redis is asked also where nothing was built.
        watched.online.horizon(watched.config, use_case.views[0])
        built = _built(watched.lake, use_case)
        views = [view for view in use_case.views if view.batch_source.path in built]
        if views and (not watched.scheduled or use_case.name in watched.scheduled):
            every = watched.schedule_seconds
            gauges.add("lockstep_schedule_interval_seconds", use_case.name, value=every)
        for view in views:
            place = use_case.name, view.name
            if (allowed := max_age(view)) is not None:
                gauges.add("lockstep_view_max_age_seconds", *place, value=allowed.total_seconds())
            if (horizon := watched.online.horizon(watched.config, view)) is not None:
                exact = horizon.timestamp()
                gauges.add("lockstep_view_horizon_timestamp_seconds", *place, value=exact)
            row = Marks(watched.online, watched.config, view).past(watched.lake)
            if row is not None:
                took = (row.finished - row.started).total_seconds()
                ended = row.finished.timestamp()
                gauges.add("lockstep_view_materialized_timestamp_seconds", *place, value=ended)
                gauges.add("lockstep_view_materialized_duration_seconds", *place, value=took)
                gauges.add("lockstep_view_materialized_rows", *place, value=row.written)


def _look_at_models(watched: Watched, gauges: Gauges) -> None:
    uri = watched.tracking_uri
    if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).is_file():
        return  # MLflow would make the database
    known = {use_case.name for use_case in watched.use_cases}
    with model_registry(uri) as client:
        for model in client.search_registered_models():
            if model.name not in known:
                continue
            for alias, version in model.aliases.items():
                gauges.add("lockstep_model_version", model.name, alias, value=int(version))
            if (version := model.aliases.get(CHALLENGER)) is not None:
                tags = client.get_model_version(model.name, version).tags
                is_refused = tags.get("promotion") == "refused"
                gauges.add("lockstep_promotion_refused", model.name, value=is_refused)


def _built(lake: Lake, use_case: WatchedUseCase) -> dict[str, Mapping[str, Any]]:
    """What is recorded of the tables that were built, by name."""
    found = {spec.table: lake.table(spec.table).metadata() for spec in use_case.specs}
    return {name: metadata for name, metadata in found.items() if "horizon" in metadata}


_Look = Callable[[Watched, Gauges], None]
# Each part, and the error that says that it does not answer.
_LOOKS: dict[str, tuple[_Look, type[LockstepError]]] = {
    "lake": (_look_at_lake, LakeError),
    "audits": (_look_at_audits, LakeError),
    "online_store": (_look_at_views, StoreUnavailableError),
    "registry": (_look_at_models, RegistryError),
}
