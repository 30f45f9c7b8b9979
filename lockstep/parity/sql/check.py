"""The offline join of a sample of vectors beside SQL over raw events.

Both stores are filled from tables that one program builds. A fault of it is in both, and parity
of the two does not show it; this does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockstep.lake.lake import Lake
from lockstep.parity.joined import Joined, join_exact
from lockstep.parity.same_values import Booleans, same_bits
from lockstep.parity.served_rows import ServedRows
from lockstep.parity.service_views import ListedView, ServiceViews
from lockstep.parity.sql.aggregates import BAR_AGGREGATES
from lockstep.parity.sql.oracle import STEP, source_events, sql_values, unsaid, within_reach
from lockstep.parity.sql.result import EXAMPLES, SqlCheck, SqlExample
from lockstep.windows.spec import EVENT_TIMESTAMP, WindowSpec

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

# Relative, and absolute for what is near zero: of sums of up to some hundred weighted bars.
_NEAR, _NEAR_ZERO = 1e-9, 1e-6


def check_in_sql(
    store: FeatureStore,
    lake: Lake,
    views: ServiceViews,
    specs: Mapping[str, WindowSpec],
    rows: ServedRows,
) -> SqlCheck:
    """Every feature of the stored views behind a service, at the T of each row, once more.

    `specs` are by the views' names in Feast.

    Raises as the offline join does, and:
        LakeError: the raw events cannot be read.
    """
    whole = views.stored_whole()
    exact = join_exact(store, whole, rows)
    checked = SqlCheck(vectors=len(rows))
    for view in whole.listed:
        declared = whole.stored[view.name]
        spec = specs.get(declared.name)
        if why := _not_said(declared, spec):
            checked += SqlCheck(not_covered={f"{view.name}: {why}": len(rows)})
        elif spec is not None:
            checked += _checked(lake, spec, declared, view, rows, exact)
    return checked


def _not_said(view: FeatureView, spec: WindowSpec | None) -> str:
    """Why SQL says nothing of a view; "" where it does."""
    if spec is None:
        return "it is no table of windows"
    if functions := unsaid(spec):
        return f"there is no SQL for {', '.join(functions)}"
    if view.projection.join_key_map:
        return "its join keys are renamed"
    return ""


def _checked(
    lake: Lake,
    spec: WindowSpec,
    declared: FeatureView,
    view: ListedView,
    rows: ServedRows,
    exact: Joined,
) -> SqlCheck:
    entities = rows.entities
    events = source_events(lake, spec, entities)
    reached = within_reach(events, spec, entities)
    at, hot = reached.arg_true(), int((~reached).sum())
    asked = entities[at]
    told = sql_values(events, spec, asked)
    joined = pl.DataFrame(
        [exact.event_us(view.name).alias(STEP)]
        + [
            exact.frame.get_column(f"{view.name}__{feature}").alias(feature)
            for feature in view.features
            if feature in told.columns
        ]
    )[at]
    told = _unless_expired(told, asked, declared.ttl)
    same = alike(spec, joined, told)
    why = f"{view.name}: the entity has too many events"
    return SqlCheck(
        values=joined.width * joined.height,
        differing={
            f"{view.name}__{name}": int((~alike).sum())
            for name, alike in same.items()
            if not alike.all()
        },
        not_covered={why: hot} if hot else {},
        examples=tuple(
            SqlExample(
                request_id=rows.request_ids[at[row]],
                t=asked.get_column(EVENT_TIMESTAMP)[row].isoformat(),
                view=view.name,
                feature=name,
                joined=joined[name][row],
                sql=told[name][row],
            )
            for name, alike in same.items()
            for row in np.flatnonzero(~alike)[:1].tolist()
        )[:EXAMPLES],
    )


def alike(spec: WindowSpec, joined: pl.DataFrame, told: pl.DataFrame) -> dict[str, Booleans]:
    """For each column of `joined` where `told` has the same.

    To the bit; up to rounding where the window core goes from bar to bar and SQL has weights.
    """
    near = {
        part.name(spec.entity, window)
        for part in spec.aggregations
        if part.function in BAR_AGGREGATES and part.value_type == "float64"
        for window in spec.windows
    }
    return {
        name: (_is_near if name in near else same_bits)(joined[name], told[name])
        for name in joined.columns
    }


def _unless_expired(told: pl.DataFrame, asked: pl.DataFrame, ttl: timedelta | None) -> pl.DataFrame:
    """The values, null where the step is older than the view's time to live."""
    if not ttl:
        return told
    age = asked.get_column(EVENT_TIMESTAMP).to_physical() - told.get_column(STEP)
    lives = age <= ttl // timedelta(microseconds=1)
    return told.select(STEP, pl.when(lives).then(pl.all().exclude(STEP)))


def _is_near(one: pl.Series, other: pl.Series) -> Booleans:
    """Where both are null, or equal up to rounding."""
    left, right = (s.cast(pl.Float64).fill_null(np.nan).to_numpy() for s in (one, other))
    return np.asarray(np.isclose(left, right, rtol=_NEAR, atol=_NEAR_ZERO, equal_nan=True))
