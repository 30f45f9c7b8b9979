"""Feature values as a model takes them: one row of floats an entity, and their statuses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lockstep.contract.status import FeatureStatus, status_at
from lockstep.stores.compiled import fill
from lockstep.stores.read_plan import ReadPlan
from lockstep.stores.value_bytes import python_value
from lockstep.stores.view_plan import ViewPlan

STATUSES = tuple(FeatureStatus)
# No step has this event time: it is not between the years 1 and 9999. `_vectors.c` has it too.
NO_TIME = -(2**63)

_CODES = {status: code for code, status in enumerate(STATUSES)}
_NOT_FOUND, _NULL = _CODES[FeatureStatus.NOT_FOUND], _CODES[FeatureStatus.NULL]
_PRESENT = _CODES[FeatureStatus.PRESENT]
_NAN = float("nan")

Answer = Sequence[bytes | None]
Horizons = Sequence[int | None]
Row = tuple[list[float], list[int], list[int]]
ViewRow = tuple[list[float], list[int], int]


@dataclass(frozen=True)
class FeatureVectors:
    """(rows, features). A value is NaN unless its status keeps it; `codes` index STATUSES.

    `event_us` (rows, views) are the event times of the steps that were read, NO_TIME where
    there is none; `horizons` are those of the plan's views, None where nothing was ever
    materialised. Both in microseconds UTC.
    """

    features: tuple[str, ...]
    values: NDArray[np.float64]
    codes: NDArray[np.uint8]
    event_us: NDArray[np.int64]
    horizons: tuple[int | None, ...]

    def status(self, row: int, feature: str) -> FeatureStatus:
        """The status of one value."""
        return STATUSES[int(self.codes[row, self.features.index(feature)])]


@dataclass(frozen=True)
class VectorDecoder:
    """Makes vectors out of the answers to a plan's commands; compiled once.

    `layout` is the plan in the numbers that `_vectors.c` reads.
    """

    plan: ReadPlan
    layout: bytes

    @classmethod
    def of(cls, plan: ReadPlan) -> VectorDecoder:
        """The decoder of a plan.

        Raises:
            ReadPlanError: a feature is no number.
        """
        plan.check_numbers()
        return cls(plan, _layout(plan))

    def vectors(
        self, answers: Sequence[Answer], horizons: Horizons, t_us: Sequence[int]
    ) -> FeatureVectors:
        """A row for each entity, as known at its T (microseconds UTC); see `FeatureVectors`.

        `answers` has those of each entity one after another, one for each key of the plan.
        """
        shape = (len(t_us), len(self.plan.features))
        values, codes = np.empty(shape), np.empty(shape, np.uint8)
        event_us = np.empty((len(t_us), len(horizons)), np.int64)
        left = fill(answers, t_us, horizons, self.layout, values, codes, event_us)
        hashes = len(self.plan.keys)
        for row in left:
            own = iter(answers[row * hashes : (row + 1) * hashes])
            values[row], codes[row], event_us[row] = self._row(own, horizons, t_us[row])
        return FeatureVectors(self.plan.features, values, codes, event_us, tuple(horizons))

    def joined(self, parts: Sequence[FeatureVectors]) -> FeatureVectors:
        """The rows of all parts, one after another."""
        if len(parts) == 1:
            return parts[0]
        none = self.vectors([], [None] * len(self.plan.views), [])
        return FeatureVectors(
            self.plan.features,
            np.concatenate([none.values, *(part.values for part in parts)]),
            np.concatenate([none.codes, *(part.codes for part in parts)]),
            np.concatenate([none.event_us, *(part.event_us for part in parts)]),
            parts[0].horizons if parts else none.horizons,
        )

    def _row(self, answers: Iterator[Answer], horizons: Horizons, t_us: int) -> Row:
        values: list[float] = []
        codes: list[int] = []
        events: list[int] = []
        for (view, cells), horizon_us in zip(self.plan.parts(answers), horizons, strict=True):
            view_values, view_codes, event_us = _view_row(view, cells, horizon_us, t_us)
            values += view_values
            codes += view_codes
            events.append(event_us)
        order = self.plan.order or range(len(values))
        return [values[at] for at in order], [codes[at] for at in order], events


def _layout(plan: ReadPlan) -> bytes:
    """Counts of keys, views and features; then what each view and each feature is.

    A view: key, first field, field of its `valid_until_us`, time to live, greatest age,
    whether it has a tail. A feature: view, key, field. The fields of a key count from 0.
    """
    views: list[tuple[int, ...]] = []
    features: list[tuple[int, ...]] = []
    for number, key in enumerate(plan.keys):
        start = 0
        for view in key.views:
            end = start + 2 + len(view.features)
            features += [(len(views), number, field) for field in range(start + 2, end)]
            until = end if view.has_valid_until else -1
            max_age = -1 if view.max_age_us is None else view.max_age_us
            has_tail = view.tail_field is not None
            views.append((number, start, until, view.ttl_us or 0, max_age, has_tail))
            start += len(view.fields)
    if plan.order is not None:
        features = [features[position] for position in plan.order]
    counts = (len(plan.keys), len(views), len(features))
    return np.array([*counts, *_flat(views), *_flat(features)], np.int64).tobytes()


def _flat(rows: Iterable[tuple[int, ...]]) -> Iterator[int]:
    return chain.from_iterable(rows)


def _view_row(view: ViewPlan, answer: Answer, horizon_us: int | None, t_us: int) -> ViewRow:
    known = view.known_at(answer, t_us)
    count = len(view.features)
    if known is None:
        return [_NAN] * count, [_NOT_FOUND] * count, NO_TIME
    event_us, created_us, cells = known
    status = status_at(
        t_us,
        event_us=event_us,
        is_null=False,
        created_us=created_us,
        ttl_us=view.ttl_us,
        valid_until_us=view.valid_until(cells),
        horizon_us=horizon_us,
        max_age_us=view.max_age_us,
    )
    code, keeps_value = _CODES[status], status.keeps_value
    null = _NULL if code == _PRESENT else code
    values, codes = [], []
    for cell in cells[:count]:
        value = None if cell is None else python_value(cell)
        values.append(float(value) if value is not None and keeps_value else _NAN)
        codes.append(_NOT_FOUND if cell is None else null if value is None else code)
    return values, codes, event_us
