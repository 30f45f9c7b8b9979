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
    values = _from_sums(events, points, stored, spec) | _from_rows(events, points, stored, spec)
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
    return finished + ratios


def _from_sums(events: Events, points: ChangePoints, stored: Versions, spec: WindowSpec) -> _Values:
    sums = SumTable(events, points, stored)
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
            for w in range(len(spec.windows)):
                held = panel.held(events, w, column=part.column, where=part.where)
                pieces[part, w].append(definition.over(held))
    order = np.argsort(np.concatenate(places), kind="stable")
    return {key: pl.concat(parts).gather(order) for key, parts in pieces.items()}


def _divided(of: pl.Series, to: pl.Series) -> pl.Series:
    """One float64 division; null where `to` is zero or either is null."""
    return pl.select(pl.when(to != 0).then(of / to)).to_series()
