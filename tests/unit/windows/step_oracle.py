"""What the window core must answer, written as the definitions read: slowly.

Shares no code with `lockstep.windows` but the specification's types.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import sqrt
from typing import Any, NamedTuple

from lockstep.windows.spec import Aggregation, WindowSpec

DAY = 86_400_000_000


class Row(NamedTuple):
    """One event or its deletion: integer microseconds, one value, one 0/1 flag."""

    key: int
    event: int
    created: int
    value: int
    flag: int = 1
    deleted: bool = False


def _std(rows: list[Row]) -> float | None:
    """By the definition: squared distances from the mean, over n - 1, as fractions."""
    if len(rows) < 2:
        return None
    mean = Fraction(sum(row.value for row in rows), len(rows))
    n = len(rows)
    numerator = n * sum((row.value - mean) ** 2 for row in rows)
    return sqrt(float(numerator) / float(n * (n - 1)))


# Each is given the rows in order of (event, created, value).
REFERENCE: dict[str, Callable[[list[Row]], Any]] = {
    "count": len,
    "sum": lambda rows: sum(row.value for row in rows),
    "mean": lambda rows: sum(row.value for row in rows) / len(rows) if rows else None,
    "rate": lambda rows: sum(row.flag for row in rows) / len(rows) if rows else None,
    "std": _std,
    "min": lambda rows: min((row.value for row in rows), default=None),
    "max": lambda rows: max((row.value for row in rows), default=None),
    "median": lambda rows: statistics.median(row.value for row in rows) if rows else None,
    "distinct": lambda rows: len({row.value for row in rows}),
    "active_days": lambda rows: len({row.event // DAY for row in rows}),
    "last": lambda rows: rows[-1].value if rows else None,
    "last_event_time": lambda rows: rows[-1].event if rows else None,
}


def up(time: int, spec: WindowSpec) -> int:
    """The grid point at or after `time`."""
    return -(-time // spec.grid_us) * spec.grid_us


def live(rows: Iterable[Row], known_as_of: int) -> list[Row]:
    """The rows that were known and not deleted; a deletion takes the one created first."""
    known = sorted(row for row in rows if row.created <= known_as_of)
    kept = [row for row in known if not row.deleted]
    for deletion in (row for row in known if row.deleted):
        alike = [row for row in kept if row._replace(created=0) == _undeleted(deletion)]
        kept.remove(min(alike, key=lambda row: row.created))
    return sorted(kept, key=lambda row: (row.event, row.created, row.value))


def _undeleted(deletion: Row) -> Row:
    return deletion._replace(created=0, deleted=False)


def values_at(rows: Iterable[Row], spec: WindowSpec, t: int) -> dict[str, Any]:
    """The features of one entity at t, of live rows: without a grid, event < t < event + w."""
    rows, answer = list(rows), {}
    for window, length in zip(spec.windows, spec.lengths_us, strict=True):
        held = [r for r in rows if up(r.event + 1, spec) <= t < up(r.event + length, spec)]
        for part in spec.aggregations:
            answer[part.name(spec.entity, window)] = _value(part, held)
        for ratio in spec.ratios:
            of, to = _value(ratio.of, held), _value(ratio.to, held)
            answer[ratio.name(spec.entity, window)] = of / to if of is not None and to else None
    return answer


def _value(part: Aggregation, held: list[Row]) -> Any:
    chosen = [row for row in held if part.where is None or row.flag == 1]
    return REFERENCE[part.function](chosen)


def stored_steps(
    rows: Iterable[Row], spec: WindowSpec, *, start: int, end: int
) -> list[dict[str, Any]]:
    """Every stored version that became final in [start, end), in table order."""
    rows = [row._replace(created=max(row.event, row.created)) for row in rows]
    stored = []
    for key in sorted({row.key for row in rows}):
        mine = [row for row in rows if row.key == key]
        for s in sorted(_change_points(mine, spec)):
            for version in _versions_of(s, mine, spec):
                settled = s - 1 if spec.snapshots else s
                if start <= max(settled, version["created_timestamp"]) < end:
                    stored.append({"key": key, **version})
    return stored


def _change_points(rows: list[Row], spec: WindowSpec) -> set[int]:
    if not spec.snapshots:
        return {edge for row in rows for edge in _edges(row, spec)}
    grid = spec.grid_us
    return {s for row in rows for s in range(_edges(row, spec)[0], _edges(row, spec)[-1] + 1, grid)}


def _edges(row: Row, spec: WindowSpec) -> list[int]:
    return [up(row.event + 1, spec), *(up(row.event + w, spec) for w in spec.lengths_us)]


def _versions_of(s: int, rows: list[Row], spec: WindowSpec) -> list[dict[str, Any]]:
    belonging = [row for row in rows if _edges(row, spec)[0] <= s <= _edges(row, spec)[-1]]
    creators = [row for row in belonging if spec.snapshots or s in _edges(row, spec)]
    known_from = min(row.created for row in creators)
    settled = s - 1 if spec.snapshots else s
    late = sorted({row.created for row in belonging if row.created > settled})
    found = []
    for known_as_of in [settled, *late]:
        known = [row for row in belonging if row.created <= known_as_of]
        if known_as_of < known_from:
            continue
        held = live(known, known_as_of)
        found.append(
            {
                "event_timestamp": s,
                "created_timestamp": max(row.created for row in known),
                **values_at(held, spec, s),
                "valid_until_us": _valid_until(held, spec, s),
            }
        )
    return found


def _valid_until(held: list[Row], spec: WindowSpec, s: int) -> int | None:
    expiries = [edge for row in held for edge in _edges(row, spec)[1:] if edge > s]
    if spec.snapshots:
        return s + spec.grid_us if expiries else None
    return min(expiries, default=None)
