"""Feature values as a model takes them: one row of floats an entity, and their statuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockstep.contract.status import FeatureStatus, status_at
from lockstep.stores.read_plan import ReadPlan
from lockstep.stores.value_bytes import python_value
from lockstep.stores.value_columns import (
    NEVER,
    NUMBER_KINDS,
    Cells,
    Floats,
    Ints,
    NumberKind,
    number,
)
from lockstep.stores.view_plan import ViewPlan

STATUSES = tuple(FeatureStatus)

# From so many rows on whole columns are decoded at once. Twelve features of two views take
# 17 us a row one by one; by columns 2 us a row, and 150 us a batch.
COLUMNS_FROM = 12

_CODES = {status: code for code, status in enumerate(STATUSES)}
_NOT_FOUND, _FUTURE = _CODES[FeatureStatus.NOT_FOUND], _CODES[FeatureStatus.FUTURE]
_EXPIRED, _STALE = _CODES[FeatureStatus.EXPIRED], _CODES[FeatureStatus.STALE]
_NULL, _PRESENT = _CODES[FeatureStatus.NULL], _CODES[FeatureStatus.PRESENT]
_KEEPS_VALUE = np.array([status.keeps_value for status in STATUSES])
_NAN = float("nan")
_FOREVER = 2**63 - 1

Codes = NDArray[np.uint8]
Answer = Sequence[bytes | None]
Horizons = Sequence[int | None]
Row = tuple[list[float], list[int]]


@dataclass(frozen=True)
class FeatureVectors:
    """(rows, features). A value is NaN unless its status keeps it; `codes` index STATUSES."""

    features: tuple[str, ...]
    values: Floats
    codes: Codes

    def status(self, row: int, feature: str) -> FeatureStatus:
        """The status of one value."""
        return STATUSES[int(self.codes[row, self.features.index(feature)])]


@dataclass(frozen=True)
class VectorDecoder:
    """Makes vectors out of the answers to a plan's commands; compiled once.

    An entity's answers, side by side, have `width` fields: `bounds` says where each view's
    begin, and `columns` where the features are, in the order of the vector, with
    `view_of` each. `kinds` has the positions and columns of the features of each type.
    """

    plan: ReadPlan
    bounds: tuple[int, ...]
    columns: list[int]
    view_of: list[int]
    kinds: tuple[tuple[NumberKind, list[int], list[int]], ...]

    @classmethod
    def of(cls, plan: ReadPlan) -> VectorDecoder:
        """The decoder of a plan.

        Raises:
            ReadPlanError: a feature is no number.
        """
        plan.check_numbers()
        bounds = tuple(np.cumsum([0, *(len(view.fields) for view in plan.views)]).tolist())
        placed = [
            (number, start + 2 + position, feast_type)
            for number, (view, start) in enumerate(zip(plan.views, bounds, strict=False))
            for position, feast_type in enumerate(view.types)
        ]
        ordered = placed if plan.order is None else [placed[position] for position in plan.order]
        kinds: dict[Any, tuple[NumberKind, list[int], list[int]]] = {}
        for position, (_, column, feast_type) in enumerate(ordered):
            _, positions, columns = kinds.setdefault(feast_type, (NUMBER_KINDS[feast_type], [], []))
            positions.append(position)
            columns.append(column)
        return cls(
            plan,
            bounds,
            [column for _, column, _ in ordered],
            [view for view, _, _ in ordered],
            tuple(kinds.values()),
        )

    def vectors(
        self, answers: Sequence[Answer], horizons: Horizons, t_us: Sequence[int]
    ) -> FeatureVectors:
        """A row for each entity, as known at its T."""
        if len(t_us) < COLUMNS_FROM:
            return self._by_row(answers, horizons, t_us)
        return self._by_column(answers, horizons, np.array(t_us, np.int64))

    def joined(self, parts: Sequence[FeatureVectors]) -> FeatureVectors:
        """The rows of all parts, one after another."""
        if len(parts) == 1:
            return parts[0]
        values = [part.values for part in parts] or [np.empty((0, len(self.columns)))]
        codes = [part.codes for part in parts] or [np.empty((0, len(self.columns)), np.uint8)]
        return FeatureVectors(self.plan.features, np.concatenate(values), np.concatenate(codes))

    def _by_row(
        self, answers: Sequence[Answer], horizons: Horizons, t_us: Sequence[int]
    ) -> FeatureVectors:
        values: list[float] = []
        codes: list[int] = []
        hashes = len(self.plan.keys)
        for row, t in enumerate(t_us):
            cells = list(chain.from_iterable(answers[row * hashes : (row + 1) * hashes]))
            row_values, row_codes = self._row(cells, horizons, t)
            values += row_values
            codes += row_codes
        shape = (len(t_us), len(self.columns))
        return FeatureVectors(
            self.plan.features,
            np.array(values, np.float64).reshape(shape),
            np.array(codes, np.uint8).reshape(shape),
        )

    def _row(self, cells: Answer, horizons: Horizons, t_us: int) -> Row:
        values: list[float] = []
        codes: list[int] = []
        views = zip(self.plan.views, pairwise(self.bounds), horizons, strict=True)
        for view, (start, end), horizon_us in views:
            view_values, view_codes = _view_row(view, cells[start:end], horizon_us, t_us)
            values += view_values
            codes += view_codes
        order = self.plan.order
        if order is None:
            return values, codes
        return [values[position] for position in order], [codes[position] for position in order]

    def _by_column(self, answers: Sequence[Answer], horizons: Horizons, t: Ints) -> FeatureVectors:
        cells = Cells.of(answers, len(t))
        rows = self._row_codes(cells, horizons, t[:, None])
        codes, sizes = rows[:, self.view_of], cells.sizes[:, self.columns]
        values = np.empty(codes.shape)
        for kind, positions, columns in self.kinds:
            values[:, positions] = cells.numbers(columns, kind)
        codes[(codes == _PRESENT) & self._is_null(cells, values, sizes)] = _NULL
        codes[sizes < 0] = _NOT_FOUND
        values[~_KEEPS_VALUE[codes]] = np.nan
        self._from_tails(
            cells, rows, horizons, t, FeatureVectors(self.plan.features, values, codes)
        )
        return FeatureVectors(self.plan.features, values, codes)

    def _is_null(self, cells: Cells, values: Floats, sizes: Ints) -> NDArray[np.bool_]:
        """Empty cells, and the few that say nothing in more bytes; a NaN is a value."""
        is_null: NDArray[np.bool_] = sizes == 0
        for row, position in np.argwhere(np.isnan(values) & (sizes > 0)):
            cell = cells.content[row * cells.sizes.shape[1] + self.columns[position]]
            is_null[row, position] = python_value(cell) is None
        return is_null

    def _row_codes(self, cells: Cells, horizons: Horizons, t: Ints) -> Codes:
        """`status_at` of whole rows, by view, from the weakest status to the strongest."""
        views, starts = self.plan.views, self.bounds[:-1]
        times = cells.times([*starts, *(start + 1 for start in starts)])
        event, created = times[:, : len(views)], times[:, len(views) :]
        codes = np.full(event.shape, _PRESENT, np.uint8)
        codes[self._is_stale(cells, horizons, t)] = _STALE
        ttl = np.array([view.ttl_us or _FOREVER for view in views])
        codes[t - event > ttl] = _EXPIRED
        codes[(event > t) | (created > t)] = _FUTURE
        codes[event == NEVER] = _NOT_FOUND
        return codes

    def _is_stale(self, cells: Cells, horizons: Horizons, t: Ints) -> NDArray[np.bool_]:
        views = self.plan.views
        stale = np.zeros((len(t), len(views)), np.bool_)
        stepped = [n for n, view in enumerate(views) if view.has_valid_until]
        if stepped:
            until = cells.integers([self.bounds[n] + 2 + len(views[n].features) for n in stepped])
            stale[:, stepped] = (t >= until) & (until != NEVER)
        for n, (view, horizon_us) in enumerate(zip(views, horizons, strict=True)):
            if horizon_us is not None:
                past = t[:, 0] - horizon_us
                stale[:, n] |= past > (_FOREVER if view.max_age_us is None else view.max_age_us)
                stale[:, n] &= past >= 0
        return stale

    def _from_tails(
        self, cells: Cells, rows: Codes, horizons: Horizons, t: Ints, vectors: FeatureVectors
    ) -> None:
        """Reads the rows again whose newest step is later than T, where there is a tail."""
        live = [n for n, view in enumerate(self.plan.views) if view.tail_field]
        if not live:
            return
        for row in np.flatnonzero((rows[:, live] == _FUTURE).any(axis=1)):
            values, codes = self._row(cells.row(int(row)), horizons, int(t[row]))
            vectors.values[row], vectors.codes[row] = values, codes


def _view_row(view: ViewPlan, answer: Answer, horizon_us: int | None, t_us: int) -> Row:
    known = view.known_at(answer, t_us)
    count = len(view.features)
    if known is None:
        return [_NAN] * count, [_NOT_FOUND] * count
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
        if not cell:
            values.append(_NAN)
            codes.append(_NOT_FOUND if cell is None else null)
            continue
        value = number(cell)
        values.append(value if keeps_value else _NAN)
        is_null = value != value and python_value(cell) is None
        codes.append(null if is_null else code)
    return values, codes
