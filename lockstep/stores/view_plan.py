"""How one view lies in a hash, and what its bytes say of a row at T."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feast import FeatureView
from feast.types import FeastType

from lockstep.stores.errors import ReadPlanError
from lockstep.stores.live_tail import TailStep, decode_tail, known_at
from lockstep.stores.online_read import ViewRead
from lockstep.stores.redis_layout import (
    created_field,
    event_field,
    feature_field,
    horizon_key,
    tail_field,
)
from lockstep.stores.value_bytes import decode_time, python_value
from lockstep.stores.view_tags import max_age_us, tail_steps
from lockstep.windows.microseconds import SECOND_US
from lockstep.windows.spec import VALID_UNTIL


@dataclass(frozen=True)
class ViewPlan:
    """The hash fields of one view, and what its statuses need.

    `types` are those of `features`. `tail_field` is there for a view tagged `live`.
    """

    name: str
    features: tuple[str, ...]
    types: tuple[FeastType, ...]
    fields: tuple[bytes, ...]
    horizon_key: bytes
    has_valid_until: bool
    tail_field: bytes | None
    ttl_us: int | None
    max_age_us: int | None

    def decode(
        self, answer: Sequence[bytes | None], horizon_us: int | None, t_us: int | None = None
    ) -> ViewRead:
        """The answer to `fields`: a row without its event time was never written.

        With `t_us` the newest step that was known then, as far back as the tail of a live
        view reaches.
        """
        known = self.known_at(answer, t_us)
        if known is None:
            return ViewRead(
                self.features,
                horizon_us=horizon_us,
                ttl_us=self.ttl_us,
                max_age_us=self.max_age_us,
            )
        event_us, created_us, cells = known
        return ViewRead(
            self.features,
            event_us,
            created_us,
            self.valid_until(cells),
            horizon_us,
            self.ttl_us,
            self.max_age_us,
            {
                name: python_value(cell)
                for name, cell in zip(self.features, cells, strict=False)
                if cell is not None
            },
        )

    def known_at(
        self, answer: Sequence[bytes | None], t_us: int | None
    ) -> tuple[int, int | None, Sequence[bytes | None]] | None:
        """Event and created time, and the serialised features; None for no row.

        With `t_us` those of then, as far as the tail reaches; else, and beyond, the newest.
        """
        if answer[0] is None:
            return None
        event_us = decode_time(answer[0])
        created_us = None if answer[1] is None else decode_time(answer[1])
        if t_us is not None and max(event_us, created_us or event_us) > t_us:
            step = self._step_at(answer, t_us)
            if step is not None:
                return *step.version, [step.fields.get(field) for field in self.fields[2:]]
        return event_us, created_us, answer[2:]

    def valid_until(self, cells: Sequence[bytes | None]) -> int | None:
        """The microseconds until which a row holds, from its serialised features."""
        cell = cells[len(self.features)] if self.has_valid_until else None
        return python_value(cell) if cell else None

    def _step_at(self, answer: Sequence[bytes | None], t_us: int) -> TailStep | None:
        tail = answer[-1] if self.tail_field else None
        return known_at(decode_tail(tail), t_us) if tail else None


def view_plan(
    project: str, view: FeatureView, features: tuple[str, ...], *, stored_as: str | None = None
) -> ViewPlan:
    """How `features` of a view lie in Redis, where it may be stored under another name.

    Raises:
        ReadPlanError: the view lacks one of them.
    """
    stored = stored_as or view.name
    declared = {field.name: field.dtype for field in view.features}
    if unknown := set(features) - set(declared):
        raise ReadPlanError.unknown_features(view.name, unknown)
    has_valid_until = VALID_UNTIL in declared
    names = (*features, VALID_UNTIL) if has_valid_until else features
    tail = tail_field(stored) if tail_steps(view) else None
    return ViewPlan(
        name=view.projection.name_to_use(),
        features=features,
        types=tuple(declared[name] for name in features),
        fields=(
            event_field(stored),
            created_field(stored),
            *(feature_field(stored, name) for name in names),
            *((tail,) if tail else ()),
        ),
        horizon_key=horizon_key(project, stored),
        has_valid_until=has_valid_until,
        tail_field=tail,
        ttl_us=int(view.ttl.total_seconds() * SECOND_US) if view.ttl else None,
        max_age_us=max_age_us(view),
    )
