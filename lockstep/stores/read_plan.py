"""What serving reads: feature views turned into Redis keys and hash fields, once, at start.

Knows no registry and no connection; `online_reader` runs the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from feast import FeatureView, types

from lockstep.stores.errors import ReadPlanError
from lockstep.stores.key_plan import JoinKey, KeyPlan, join_keys
from lockstep.stores.online_read import ViewRead
from lockstep.stores.redis_layout import key_prefix
from lockstep.stores.view_plan import ViewPlan, view_plan
from lockstep.windows.spec import VALID_UNTIL

_NUMBERS = (types.Int64, types.Int32, types.Float64, types.Float32, types.Bool)


@dataclass(frozen=True)
class ReadPlan:
    """Everything that one request reads: a hash for each combination of join keys."""

    keys: tuple[KeyPlan, ...]
    order: tuple[int, ...] | None = None

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
            groups.setdefault(join_keys(view), []).append(view_plan(project, view, wanted))
        _check_names(plan for plans in groups.values() for plan in plans)
        return cls(tuple(_key_plan(project, keys, plans) for keys, plans in groups.items()))

    @cached_property
    def views(self) -> tuple[ViewPlan, ...]:
        """The views in the order in which they are read."""
        return tuple(view for key in self.keys for view in key.views)

    @cached_property
    def read_features(self) -> tuple[str, ...]:
        """The features in the order in which they are read."""
        return tuple(feature for view in self.views for feature in view.features)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The features in the order in which a vector has them."""
        read = self.read_features
        return read if self.order is None else tuple(read[position] for position in self.order)

    def ordered(self, features: Sequence[str]) -> ReadPlan:
        """The same plan, whose vectors have `features` in this order.

        Raises:
            ReadPlanError: one is not read, or is no number.
        """
        positions = {name: position for position, name in enumerate(self.read_features)}
        if unknown := set(features) - set(positions):
            raise ReadPlanError.not_read(unknown, self.read_features)
        return replace(self, order=tuple(positions[name] for name in features))

    def check_numbers(self) -> None:
        """Nothing where every feature fits into a vector.

        Raises:
            ReadPlanError: one is no number.
        """
        for view in self.views:
            for name, feast_type in zip(view.features, view.types, strict=True):
                if feast_type not in _NUMBERS:
                    raise ReadPlanError.no_number(name, feast_type)

    def entity(
        self,
        answers: Iterator[Sequence[bytes | None]],
        horizons: Iterable[int | None],
        t_us: int | None = None,
    ) -> dict[str, ViewRead]:
        """The views of one entity, by name, from the next answers: one for each key plan."""
        return {
            view.name: view.decode(cells, horizon_us, t_us)
            for (view, cells), horizon_us in zip(self.parts(answers), horizons, strict=True)
        }

    def parts(
        self, answers: Iterator[Sequence[bytes | None]]
    ) -> Iterator[tuple[ViewPlan, Sequence[bytes | None]]]:
        """Each view, and its fields in the next answers: one for each key plan."""
        for key in self.keys:
            answer, first = next(answers), 0
            for view in key.views:
                end = first + len(view.fields)
                yield view, answer[first:end]
                first = end


def _key_plan(project: str, keys: tuple[JoinKey, ...], views: Sequence[ViewPlan]) -> KeyPlan:
    return KeyPlan(key_prefix([key.name for key in keys]), keys, project.encode(), tuple(views))


def _check_names(views: Iterable[ViewPlan]) -> None:
    owners: dict[str, str] = {}
    for view in views:
        for feature in view.features:
            if owners.setdefault(feature, view.name) != view.name:
                raise ReadPlanError.name_clash(feature, [owners[feature], view.name])
