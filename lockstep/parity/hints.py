"""What the lake has that looks like a value that nothing explains: where to look first.

A hint is no cause. It says which step of the lake the store's answer is, if it is one at all.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import polars as pl

from lockstep.lake.lake import Lake
from lockstep.parity.served_rows import FOUND, ServedRows
from lockstep.parity.service_views import ListedView, ServiceViews
from lockstep.stores.view_table import ViewTable
from lockstep.windows.microseconds import SECOND_US
from lockstep.windows.spec import EVENT_TIMESTAMP

_ROW, _STEP, _HAS_VALUES = "__row", "__step_us", "__has_values"
_HOUR_US = 3_600 * SECOND_US
# Zones lie up to so many hours apart, and rows beyond so many are not looked into.
_MOST_HOURS = 26
_MOST_ROWS = 2_000


class Hint(StrEnum):
    """What an unexplained answer looks like."""

    NO_STEP = "the store had no step to answer with"
    NOT_BROUGHT = "a step of the entity that no run on record had brought by then"
    ALTERED = "a step of the entity with other values than the lake has"
    OTHER_ENTITY = "a step of another entity"
    HOURS_OFF = "a step of the entity whose time is hours off"
    UNKNOWN = "no step that the lake has"


def hints(lake: Lake, views: ServiceViews, view: ListedView, rows: ServedRows) -> Counter[str]:
    """How often unexplained rows of a stored view look like what; of the first of them.

    Raises:
        SourceError: the view's table cannot be read.
    """
    stored = views.stored[view.name]
    table, features = ViewTable(stored, lake), list(view.features)
    keys, renamed = list(table.keys), stored.projection.join_key_map
    asked = pl.concat(
        [
            rows.entities.select(pl.col(renamed.get(key, key)).alias(key) for key in keys),
            rows.values.select(pl.col(f"{view.name}__{name}").alias(name) for name in features),
            rows.steps.select(pl.col(view.name).alias(_STEP)),
            rows.kinds.select((pl.col(view.name) == FOUND).alias(_HAS_VALUES)),
        ],
        how="horizontal",
    ).head(_MOST_ROWS)
    asked = asked.with_row_index(_ROW)
    answered = asked.filter(pl.col(_STEP).is_not_null())
    found = Counter({Hint.NO_STEP.value: asked.height - answered.height})
    if not answered.is_empty():
        found.update(_looked_up(table, answered, keys, features).to_list())
    return +found


def _looked_up(
    table: ViewTable, answered: pl.DataFrame, keys: list[str], features: list[str]
) -> pl.Series:
    """What each answer with a step looks like."""
    at = pl.col(EVENT_TIMESTAMP).to_physical().alias(_STEP)
    steps = table.scan(features).select(*keys, at, *features)
    own = table.table.collect(steps.join(answered.lazy().select(keys), on=keys, how="semi"))
    then = table.table.collect(steps.join(answered.lazy().select(_STEP), on=_STEP, how="semi"))
    same = _marked(answered, own, [*keys, _STEP])
    whole = _marked(answered, own, [*keys, _STEP, *features])
    other = _marked(answered, then, [_STEP, *features])
    has_values = answered.get_column(_HAS_VALUES)
    shifted = pl.repeat(value=False, n=len(answered), dtype=pl.Boolean, eager=True)
    for hours in range(-_MOST_HOURS, _MOST_HOURS + 1):
        moved = own.with_columns(pl.col(_STEP) + hours * _HOUR_US)
        # Of a step after T no values are told.
        shifted |= _marked(answered, moved, [*keys, _STEP, *features])
        shifted |= _marked(answered, moved, [*keys, _STEP]) & ~has_values
    return pl.select(
        pl.when(same & (whole | ~has_values))
        .then(pl.lit(Hint.NOT_BROUGHT.value))
        .when(same)
        .then(pl.lit(Hint.ALTERED.value))
        .when(other & has_values)
        .then(pl.lit(Hint.OTHER_ENTITY.value))
        .when(shifted)
        .then(pl.lit(Hint.HOURS_OFF.value))
        .otherwise(pl.lit(Hint.UNKNOWN.value))
    ).to_series()


def _marked(answered: pl.DataFrame, steps: pl.DataFrame, on: list[str]) -> pl.Series:
    """Which answers have a step that is equal in these columns, nulls included."""
    has = answered.join(steps.select(on), on=on, how="semi", nulls_equal=True)
    return answered.get_column(_ROW).is_in(has.get_column(_ROW).implode())
