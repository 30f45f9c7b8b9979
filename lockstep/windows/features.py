"""The finished features of every version."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl

from lockstep.windows.change_points import ChangePoints
from lockstep.windows.events import Events
from lockstep.windows.functions import RangeFunction, SumFunction
from lockstep.windows.held_rows import panels
from lockstep.windows.spec import Aggregation, WindowSpec
from lockstep.windows.versions import Versions
from lockstep.windows.window_sums import ColumnSums, SumTable

_Values = dict[tuple[Aggregation, int], pl.Series]


def features(
    events: Events, points: ChangePoints, stored: Versions, spec: WindowSpec
) -> list[pl.Series]:
    """One column a feature, in the order of `spec.features()`, one value a version."""
    sums = SumTable(events, points, stored)
    values = _from_sums(sums, spec) | _from_rows(events, points, stored, spec)
    windows = list(enumerate(spec.windows))
    finished = [
        values[part, w].alias(part.name(spec.entity, window))
        for part in spec.aggregations
        for w, window in windows
    ]
    ratios = [
        _divided(values[ratio.of, w], values[ratio.to, w]).alias(ratio.name(spec.entity, window))
        for ratio in spec.ratios
        for w, window in windows
    ]
    columns = finished + ratios
    return columns if spec.bar is None else _where_enough(columns, sums, spec)


def least_bars(bars: int) -> int:
    """How many bars a window of so many must hold to have values: nine tenths, rounded up.

    >>> [least_bars(bars) for bars in (1, 9, 10, 200)]
    [1, 9, 9, 180]
    """
    return bars - bars // 10


def _where_enough(columns: list[pl.Series], sums: SumTable, spec: WindowSpec) -> list[pl.Series]:
    """The columns, a feature's windows one after another, null where a window lacks bars."""
    enough = [
        pl.Series(sums.over(w, "rows", None, None) >= least_bars(bars))
        for w, bars in enumerate(spec.bars)
    ]
    return [
        pl.select(pl.when(enough[place % len(enough)]).then(column).alias(column.name)).to_series()
        for place, column in enumerate(columns)
    ]


def _from_sums(sums: SumTable, spec: WindowSpec) -> _Values:
    return {
        (part, w): part.definition.finish(ColumnSums(sums, w, part.column, part.where))
        for part in spec.parts
        if isinstance(part.definition, SumFunction)
        for w in range(len(spec.windows))
    }


def _from_rows(events: Events, points: ChangePoints, stored: Versions, spec: WindowSpec) -> _Values:
    found = {p: p.definition for p in spec.parts if isinstance(p.definition, RangeFunction)}
    if not found:
        return {}
    pieces: defaultdict[tuple[Aggregation, int], list[pl.Series]] = defaultdict(list)
    places = []
    for panel in panels(events, points, stored):
        places.append(panel.versions)
        for part, definition in found.items():
            for w, bars in enumerate(spec.bars):
                held = panel.held(events, w, column=part.column, where=part.where, bars=bars)
                pieces[part, w].append(definition.over(held))
    order = np.argsort(np.concatenate(places), kind="stable")
    return {key: pl.concat(parts).gather(order) for key, parts in pieces.items()}


def _divided(of: pl.Series, to: pl.Series) -> pl.Series:
    """One float64 division; null where `to` is zero or either is null."""
    return pl.select(pl.when(to != 0).then(of / to)).to_series()
