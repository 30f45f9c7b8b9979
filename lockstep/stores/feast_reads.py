"""Rows of Redis as Feast's interface has them: messages, and statuses of a plain client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from lockstep.contract.status import FeatureStatus
from lockstep.stores.feast_layout import entity_key
from lockstep.stores.online_read import ViewRead
from lockstep.stores.plan_compiler import view_plan
from lockstep.stores.redis_wire import Reply, packed
from lockstep.stores.view_plan import ViewPlan
from lockstep.windows.microseconds import instant_at

OnlineRead = tuple[datetime | None, dict[str, Value] | None]

_STATUSES = {
    FeatureStatus.NOT_FOUND: FieldStatus.NOT_FOUND,
    FeatureStatus.FUTURE: FieldStatus.INVALID,
    FeatureStatus.EXPIRED: FieldStatus.OUTSIDE_MAX_AGE,
    FeatureStatus.STALE: FieldStatus.OUTSIDE_MAX_AGE,
    FeatureStatus.NULL: FieldStatus.NULL_VALUE,
    FeatureStatus.PRESENT: FieldStatus.PRESENT,
}


@dataclass(frozen=True)
class FeastRead:
    """One entity's row of a view, and the status of each of its features."""

    row: OnlineRead
    statuses: tuple[Any, ...]


@dataclass(frozen=True)
class OnlineQuery:
    """What one call asks of a view: a command for its horizon, and one for each entity."""

    plan: ViewPlan
    keys: tuple[bytes, ...]

    @classmethod
    def of(
        cls,
        config: RepoConfig,
        view: FeatureView,
        entity_keys: Sequence[EntityKey],
        requested: Sequence[str] | None,
    ) -> OnlineQuery:
        """The query for the features that are requested, else for all."""
        names = tuple(requested or (feature.name for feature in view.features))
        plan = view_plan(config.project, view, names, stored_as=stored_name(config, view))
        return cls(plan, tuple(entity_key(config.project, key) for key in entity_keys))

    @property
    def asked(self) -> list[bytes]:
        """The key that each command is for."""
        return [self.plan.horizon_key, *self.keys]

    @property
    def commands(self) -> list[bytes]:
        """The horizon comes first: rows are never older than it says."""
        fields = self.plan.fields
        rows = [packed("HMGET", key, *fields) for key in self.keys]
        return [packed("GET", self.plan.horizon_key), *rows]

    def reads(self, replies: Sequence[Reply], t_us: int) -> list[FeastRead]:
        """The rows as known at T, in the order of the entities."""
        horizon, *answers = replies
        horizon_us = None if horizon is None else int(horizon)
        return [self._read(answer, horizon_us, t_us) for answer in answers]

    def _read(self, answer: Sequence[bytes | None], horizon_us: int | None, t_us: int) -> FeastRead:
        read = self.plan.decode(answer, horizon_us, t_us)
        names = self.plan.features
        statuses = tuple(_STATUSES[read.status(name, t_us)] for name in names)
        return FeastRead(self._row(answer, read, t_us), statuses)

    def _row(self, answer: Sequence[bytes | None], read: ViewRead, t_us: int) -> OnlineRead:
        """No values where the row is too old, or not known yet; no time where there is no row."""
        known = self.plan.known_at(answer, t_us)
        if known is None:
            return (None, None)
        event_us, _, cells = known
        if not read.row_status(t_us).keeps_value:
            return (instant_at(event_us), None)
        named = zip(self.plan.features, cells, strict=False)
        return (
            instant_at(event_us),
            {name: Value.FromString(cell) for name, cell in named if cell is not None},
        )


def stored_name(config: RepoConfig, view: FeatureView) -> str:
    """The view's name in Redis; Feast's versioning, where it is on, adds to it."""
    versioned = config.registry.enable_online_feature_view_versioning
    return str(compute_versioned_name(view, versioned))
