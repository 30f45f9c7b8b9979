"""What serving reads: feature views turned into Redis keys and hash fields, once, at start.

Knows no registry and no connection; `online_reader` runs the plan.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from feast import FeatureView
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.value_type import ValueType

from lockstep.stores.errors import EntityKeyError, ReadPlanError
from lockstep.stores.online_read import ViewRead
from lockstep.stores.proto_values import python_value
from lockstep.stores.redis_layout import (
    created_field,
    decode_time,
    event_field,
    feature_field,
    horizon_key,
    key_prefix,
    key_value,
)
from lockstep.windows.spec import VALID_UNTIL

_KEY_TYPES = {
    ValueType.INT32: "a 32-bit integer",
    ValueType.INT64: "a 64-bit integer",
    ValueType.UNIX_TIMESTAMP: "whole seconds",
    ValueType.STRING: "a string",
    ValueType.BYTES: "bytes",
}
_SECOND_US = 1_000_000


@dataclass(frozen=True)
class JoinKey:
    """One part of a Redis key, and the column of the request that holds it."""

    name: str
    column: str
    value_type: ValueType

    def encode(self, row: Mapping[str, Any]) -> bytes:
        """The part for one entity row.

        Raises:
            EntityKeyError: the row lacks the column, or it is of another type or range.
        """
        if self.name == DUMMY_ENTITY_ID:
            return key_value(self.value_type, DUMMY_ENTITY_VAL)
        if self.column not in row:
            raise EntityKeyError.missing(self.column, row)
        try:
            return key_value(self.value_type, row[self.column])
        except (TypeError, struct.error):
            expected = _KEY_TYPES[self.value_type]
            raise EntityKeyError.wrong_value(self.column, row[self.column], expected) from None


@dataclass(frozen=True)
class ViewPlan:
    """The hash fields of one view, and what its statuses need."""

    name: str
    features: tuple[str, ...]
    fields: tuple[bytes, ...]
    horizon_key: bytes
    has_valid_until: bool
    ttl_us: int | None
    max_age_us: int | None

    def decode(self, answer: Sequence[bytes | None], horizon_us: int | None) -> ViewRead:
        """The answer to `fields`: a row without its event time was never written."""
        event, created, *values = answer
        absent = ViewRead(
            self.features, horizon_us=horizon_us, ttl_us=self.ttl_us, max_age_us=self.max_age_us
        )
        if event is None:
            return absent
        valid_until = values.pop() if self.has_valid_until else None
        read = zip(self.features, values, strict=True)
        return replace(
            absent,
            event_us=decode_time(event),
            created_us=None if created is None else decode_time(created),
            valid_until_us=None if valid_until is None else python_value(valid_until),
            values={name: python_value(data) for name, data in read if data is not None},
        )


@dataclass(frozen=True)
class KeyPlan:
    """The views that share a hash, since they have the same join keys."""

    prefix: bytes
    join_keys: tuple[JoinKey, ...]
    project: bytes
    views: tuple[ViewPlan, ...]

    @cached_property
    def fields(self) -> tuple[bytes, ...]:
        """The hash fields of all the views, one view after another."""
        return tuple(field for view in self.views for field in view.fields)

    def key(self, row: Mapping[str, Any]) -> bytes:
        """The Redis key of one entity row.

        Raises:
            EntityKeyError: the row lacks a join key, or it is of another type.
        """
        values = b"".join(join_key.encode(row) for join_key in self.join_keys)
        return self.prefix + values + self.project


@dataclass(frozen=True)
class ReadPlan:
    """Everything that one request reads: a hash for each combination of join keys."""

    keys: tuple[KeyPlan, ...]

    @classmethod
    def compile(
        cls,
        project: str,
        feature_views: Sequence[FeatureView],
        features: Mapping[str, Sequence[str]] | None = None,
    ) -> ReadPlan:
        """The plan for `features` of each view, by its name.

        The default is all of the view's projection but `valid_until_us`, which every read
        carries anyway.

        Raises:
            ReadPlanError: a feature that a view lacks, or that two views have, or a join
                key of a type that Redis keys cannot hold.
        """
        groups: dict[tuple[JoinKey, ...], list[ViewPlan]] = {}
        for view in feature_views:
            name = view.projection.name_to_use()
            default = [f.name for f in view.projection.features if f.name != VALID_UNTIL]
            wanted = tuple((features or {}).get(name, default))
            groups.setdefault(_join_keys(view), []).append(_view_plan(project, view, wanted))
        _check_names(plan for plans in groups.values() for plan in plans)
        return cls(tuple(_key_plan(project, keys, plans) for keys, plans in groups.items()))

    @cached_property
    def views(self) -> tuple[ViewPlan, ...]:
        """The views in the order in which they are read."""
        return tuple(view for key in self.keys for view in key.views)


def _key_plan(project: str, keys: tuple[JoinKey, ...], views: Sequence[ViewPlan]) -> KeyPlan:
    return KeyPlan(key_prefix([key.name for key in keys]), keys, project.encode(), tuple(views))


def _join_keys(view: FeatureView) -> tuple[JoinKey, ...]:
    columns = view.projection.join_key_map
    keys = []
    for column in sorted(view.entity_columns, key=lambda column: column.name):
        value_type = column.dtype.to_value_type()
        if value_type not in _KEY_TYPES:
            raise ReadPlanError.bad_key_type(column.name, column.dtype)
        keys.append(JoinKey(column.name, columns.get(column.name, column.name), value_type))
    return tuple(keys)


def _view_plan(project: str, view: FeatureView, features: tuple[str, ...]) -> ViewPlan:
    declared = {field.name for field in view.features}
    if not declared.issuperset(features):
        raise ReadPlanError.unknown_features(view.name, set(features) - declared)
    has_valid_until = VALID_UNTIL in declared
    names = (*features, VALID_UNTIL) if has_valid_until else features
    max_age = (view.tags or {}).get("max_age_seconds")
    return ViewPlan(
        name=view.projection.name_to_use(),
        features=features,
        fields=(
            event_field(view.name),
            created_field(view.name),
            *(feature_field(view.name, name) for name in names),
        ),
        horizon_key=horizon_key(project, view.name),
        has_valid_until=has_valid_until,
        ttl_us=int(view.ttl.total_seconds() * _SECOND_US) if view.ttl else None,
        max_age_us=int(max_age) * _SECOND_US if max_age else None,
    )


def _check_names(views: Iterable[ViewPlan]) -> None:
    owners: dict[str, str] = {}
    for view in views:
        for feature in view.features:
            if owners.setdefault(feature, view.name) != view.name:
                raise ReadPlanError.name_clash(feature, [owners[feature], view.name])
