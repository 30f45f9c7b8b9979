"""Makes the plan that the online store is read by out of Feast's feature views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from feast import FeatureView
from feast.feature_view import DUMMY_ENTITY_ID

from lockstep.stores.errors import ReadPlanError
from lockstep.stores.feast_layout import feature_field, key_prefix
from lockstep.stores.key_plan import JoinKey, KeyPlan
from lockstep.stores.read_plan import ReadPlan
from lockstep.stores.redis_layout import (
    KeyType,
    created_field,
    event_field,
    horizon_key,
    rows_field,
    tail_field,
)
from lockstep.stores.view_plan import ViewPlan
from lockstep.stores.view_tags import kept_rows, max_age_us, tail_steps
from lockstep.windows.microseconds import SECOND_US
from lockstep.windows.spec import VALID_UNTIL


def read_plan(
    project: str,
    feature_views: Sequence[FeatureView],
    features: Mapping[str, Sequence[str]] | None = None,
) -> ReadPlan:
    """The plan for `features` of each view, by its name.

    The default is all of the view's projection but `valid_until_us`, which every read
    carries anyway.

    Raises:
        ReadPlanError: a feature that a view lacks, or that two views have, a view without
            join keys, or a join key of a type that Redis keys cannot hold.
    """
    groups: dict[tuple[JoinKey, ...], list[ViewPlan]] = {}
    for view in feature_views:
        name = view.projection.name_to_use()
        default = [f.name for f in view.projection.features if f.name != VALID_UNTIL]
        wanted = tuple((features or {}).get(name, default))
        groups.setdefault(_join_keys(view), []).append(view_plan(project, view, wanted))
    _check_names(plan for plans in groups.values() for plan in plans)
    return ReadPlan(tuple(_key_plan(project, keys, plans) for keys, plans in groups.items()))


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
    kept = kept_rows(view)
    return ViewPlan(
        name=view.projection.name_to_use(),
        features=features,
        types=tuple(str(declared[name]) for name in features),
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
        kept=kept,
        rows_field=rows_field(stored) if kept else None,
    )


def _join_keys(view: FeatureView) -> tuple[JoinKey, ...]:
    """The parts of a view's Redis keys, by name as they lie there."""
    if not view.entity_columns:
        raise ReadPlanError.no_keys(view.name)
    columns = view.projection.join_key_map
    keys = []
    for column in sorted(view.entity_columns, key=lambda column: column.name):
        number = column.dtype.to_value_type().value
        if number not in set(KeyType):
            raise ReadPlanError.bad_key_type(column.name, column.dtype)
        asked = None if column.name == DUMMY_ENTITY_ID else columns.get(column.name, column.name)
        keys.append(JoinKey(column.name, asked, KeyType(number)))
    return tuple(keys)


def _key_plan(project: str, keys: tuple[JoinKey, ...], views: Sequence[ViewPlan]) -> KeyPlan:
    return KeyPlan(key_prefix([key.name for key in keys]), keys, project.encode(), tuple(views))


def _check_names(views: Iterable[ViewPlan]) -> None:
    owners: dict[str, str] = {}
    for view in views:
        for feature in view.features:
            if owners.setdefault(feature, view.name) != view.name:
                raise ReadPlanError.name_clash(feature, [owners[feature], view.name])
