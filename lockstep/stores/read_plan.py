"""What serving reads: feature views turned into Redis keys and hash fields, once.

Knows no Feast, no registry and no connection: `plan_compiler` makes it of feature views and
`online_reader` runs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from lockstep.stores.errors import ReadPlanError
from lockstep.stores.key_plan import KeyPlan
from lockstep.stores.online_read import ViewRead
from lockstep.stores.view_plan import ViewPlan

_NUMBERS = ("Int64", "Int32", "Float64", "Float32", "Bool")


@dataclass(frozen=True)
class ReadPlan:
    """Everything that one request reads: a hash for each combination of join keys."""

    keys: tuple[KeyPlan, ...]
    order: tuple[int, ...] | None = None

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

    @cached_property
    def with_rows(self) -> ReadPlan:
        """The same plan, which also reads the rows that views keep beside their steps.

        For reads view by view, not for vectors.
        """
        keys = [replace(k, views=tuple(view.with_rows for view in k.views)) for k in self.keys]
        return replace(self, keys=tuple(keys))

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
