"""A table of windows as one statement over its raw events.

Shares with the window core what a spec declares, and no line of how a window is computed: rows
are paired with instants, filtered and aggregated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lockstep.parity.sql.aggregates import (
    AGGREGATES,
    BAR_AGGREGATES,
    EMPTY,
    FAST_SPAN,
    SLOW_SPAN,
    running_mean,
)
from lockstep.windows.spec import Aggregation, Ratio, WindowSpec

# `asked` has n, the keys and t; `events` the keys, the values, event, created and deleted;
# `windows` w, expiry and bars. Keys are k0, k1, …, values v0, v1, …; times microseconds UTC.
_PLACED = """
WITH arrived AS (
  SELECT *, row_number() OVER (PARTITION BY {alike} ORDER BY created) AS nth
  FROM events WHERE NOT deleted
), taken_back AS (
  SELECT *, row_number() OVER (PARTITION BY {alike} ORDER BY created) AS nth
  FROM events WHERE deleted
), known AS (
  SELECT arrived.*, taken_back.created AS retired
  FROM arrived LEFT JOIN taken_back USING ({alike}, nth)
), seen AS (
  SELECT n, t, known.*, {enters} AS enters FROM asked JOIN known USING ({keys})
  WHERE {enters} <= t AND known.created <= t
), steps AS (
  SELECT n, max({step}) AS step FROM seen CROSS JOIN windows GROUP BY n
), placed AS (
  SELECT *, row_number() OVER newest AS back, count(*) OVER (PARTITION BY n, w) AS held
  FROM seen CROSS JOIN windows WHERE t < {leaves} AND (retired IS NULL OR retired > t)
  WINDOW newest AS (PARTITION BY n, w ORDER BY event DESC, created DESC{ties})
), found AS (
  SELECT n, w, any_value(held) AS held{found} FROM placed GROUP BY n, w
)"""
_OF_BARS = """, {name} AS (
  SELECT n, w{found} FROM (
    SELECT *, {difference} AS difference FROM (
      SELECT *, lead({column}) OVER (PARTITION BY n, w ORDER BY back) AS before
      FROM placed WHERE back <= bars
    ) WINDOW upto AS (PARTITION BY n, w ORDER BY back DESC)
  ) GROUP BY n, w
)"""
_ANSWERS = """
SELECT step{answers}
FROM asked CROSS JOIN windows LEFT JOIN steps USING (n) LEFT JOIN found USING (n, w){joins}
ORDER BY n, w"""


def key_columns(spec: WindowSpec) -> dict[str, str]:
    """The names of the keys in the statement."""
    return {name: f"k{n}" for n, name in enumerate(spec.entity_keys)}


def value_columns(spec: WindowSpec) -> dict[str, str]:
    """The names of the values in the statement."""
    return {name: f"v{n}" for n, name in enumerate(spec.value_columns)}


def statement(spec: WindowSpec) -> str:
    """A query with a row for each asked row and window: the newest step's time and the features.

    Features are `f0`, `f1` and so on, in the order of the spec's aggregations and then ratios.
    """
    leaves = _up("event + expiry", spec)
    names = {part: f"p{n}" for n, part in enumerate(spec.parts)}
    plain = {part: name for part, name in names.items() if part.function in AGGREGATES}
    of_bars = {part: name for part, name in names.items() if part.function in BAR_AGGREGATES}
    keys, values = key_columns(spec).values(), value_columns(spec)
    columns = list(dict.fromkeys(part.column for part in of_bars if part.column))
    features: list[Aggregation | Ratio] = [*spec.aggregations, *spec.ratios]
    told = _PLACED.format(
        alike=", ".join((*keys, *values.values(), "event")),
        keys=", ".join(keys),
        enters=_up("event + 1", spec),
        leaves=leaves,
        step=_step(leaves, spec),
        ties="".join(f", {values[column]} DESC" for column in _tied(spec)),
        found=_listed(
            f"{AGGREGATES[p.function](values.get(p.column or '', ''), _where(p, values))} AS {name}"
            for p, name in plain.items()
        ),
    )
    for number, column in enumerate(columns):
        mine = {part: name for part, name in of_bars.items() if part.column == column}
        value = values[column]
        told += _OF_BARS.format(
            name=f"of_bars_{number}",
            column=value,
            difference=f"{running_mean(value, FAST_SPAN)} - {running_mean(value, SLOW_SPAN)}",
            found=_listed(f"{BAR_AGGREGATES[p.function](value)} AS {n}" for p, n in mine.items()),
        )
    return told + _ANSWERS.format(
        answers=_listed(f"{_answer(one, names)} AS f{n}" for n, one in enumerate(features)),
        joins="".join(f" LEFT JOIN of_bars_{n} USING (n, w)" for n in range(len(columns))),
    )


def _answer(feature: Aggregation | Ratio, names: dict[Aggregation, str]) -> str:
    """A feature that a window of too few bars does not have."""
    if isinstance(feature, Ratio):
        of, to = (_part(part, names) for part in (feature.of, feature.to))
        value = f"CAST({of} AS DOUBLE) / nullif({to}, 0)"
    else:
        value = _part(feature, names)
    return f"CASE WHEN 10 * coalesce(held, 0) >= 9 * bars THEN {value} END"


def _part(part: Aggregation, names: dict[Aggregation, str]) -> str:
    if part.function in EMPTY:
        return f"coalesce({names[part]}, {EMPTY[part.function]})"
    return names[part]


def _step(leaves: str, spec: WindowSpec) -> str:
    """The newest instant until t at which a row enters a window, leaves one, or is snapshot."""
    if spec.snapshots:
        return f"least(t - t % {spec.grid_us}, {leaves})"
    return f"CASE WHEN {leaves} <= t THEN {leaves} ELSE enters END"


def _up(time: str, spec: WindowSpec) -> str:
    """The grid point at or after a time, which may lie before 1970."""
    grid = spec.grid_us
    return f"({time} + ((-({time}) % {grid}) + {grid}) % {grid})" if grid > 1 else f"({time})"


def _tied(spec: WindowSpec) -> list[str]:
    """What orders rows of one event and created time: the columns whose order matters, in turn."""
    ordered = [p for p in spec.parts if p.function == "last" or p.function in BAR_AGGREGATES]
    return list(dict.fromkeys(part.column for part in ordered if part.column))


def _where(part: Aggregation, values: Mapping[str, str]) -> str:
    return "" if part.where is None else f" FILTER (WHERE {values[part.where]} = 1)"


def _listed(expressions: Iterable[str]) -> str:
    return "".join(f",\n    {expression}" for expression in expressions)
