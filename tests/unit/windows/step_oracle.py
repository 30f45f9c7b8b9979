"""What the window core must answer, written as the definitions read: slowly.

Shares no code with `lockstep.windows` but the specification's types.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from math import sqrt
from operator import add
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


def _ema(values: list[float], span: float) -> float:
    """Normalised weights, by the recursion: pandas' ewm(adjust=True)."""
    keep, total, weight = 1 - 2 / (max(span, 1.0) + 1), 0.0, 0.0
    for value in values:
        total, weight = total * keep + value, weight * keep + 1
    return total / weight


def _macds(values: list[float], bars: int) -> list[float]:
    slow = bars / 4
    upto = [values[: n + 1] for n in range(len(values))]
    return [_ema(v, slow * 12 / 26) - _ema(v, slow) for v in upto]


def _rsi(values: list[float], bars: int) -> float | None:
    changes = [b - a for a, b in pairwise(values)]
    if not changes:
        return None
    keep, up, down = 1 - 2 / (max(2 * (bars / 8) - 1, 1.0) + 1), 0.0, 0.0
    for change in changes:
        up, down = up * keep + max(change, 0.0), down * keep + max(-change, 0.0)
    return 100 * up / (up + down) if up + down else 50.0


def _slope(values: list[float]) -> float | None:
    """By the definition, as fractions."""
    m, total = len(values), sum(values)
    if m < 2 or total <= 0:
        return None
    middle = Fraction(m - 1, 2)
    lean = sum((k - middle) * int(x) for k, x in enumerate(values))
    return float(lean / sum((k - middle) ** 2 for k in range(m)) / Fraction(int(total), m))


def _return_std(values: list[float]) -> float | None:
    if len(values) < 3 or min(values[:-1]) <= 0:
        return None
    returns = [b / a - 1 for a, b in pairwise(values)]
    # Not `sum`, which makes up for rounding.
    mean = reduce(add, returns, 0.0) / len(returns)
    squares = reduce(add, [(r - mean) * (r - mean) for r in returns], 0.0)
    return sqrt(squares / (len(returns) - 1))


# Each is given the values of some bars, and how many the window has when none is missing.
BARS: dict[str, Callable[[list[float], int], Any]] = {
    "first": lambda values, bars: int(values[0]),
    "ema": lambda values, bars: _ema(values, bars / 4),
    "slope": lambda values, bars: _slope(values),
    "return_std": lambda values, bars: _return_std(values),
    "rsi": _rsi,
    "macd": lambda values, bars: _macds(values, bars)[-1],
    "macd_signal": lambda values, bars: _ema(_macds(values, bars), bars / 4 * 9 / 26),
}
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


def value_of(function: str, rows: list[Row], bars: int = 0) -> Any:
    """The statistic of the rows that a window of so many bars holds, none where not of bars."""
    if function not in BARS:
        return REFERENCE[function](rows)
    values = [float(row.value) for row in rows[-bars:]]
    return BARS[function](values, bars) if values else None


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
    for window, expiry in zip(spec.windows, _expiries(spec), strict=True):
        held = [r for r in rows if up(r.event + 1, spec) <= t < up(r.event + expiry, spec)]
        bars = int(window[:-1]) if spec.bar else 0
        found = {part: _value(part, held, bars) for part in spec.parts}
        if 10 * len(held) < 9 * bars:
            found = dict.fromkeys(spec.parts)
        for part in spec.aggregations:
            answer[part.name(spec.entity, window)] = found[part]
        for ratio in spec.ratios:
            of, to = found[ratio.of], found[ratio.to]
            answer[ratio.name(spec.entity, window)] = of / to if of is not None and to else None
    return answer


def _value(part: Aggregation, held: list[Row], bars: int) -> Any:
    chosen = [row for row in held if part.where is None or row.flag == 1]
    return value_of(part.function, chosen, bars)


def _expiries(spec: WindowSpec) -> list[int]:
    """How long after its time a row leaves: at once for events, a microsecond later for bars."""
    return [length + (spec.bar is not None) for length in spec.lengths_us]


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
    return [up(row.event + 1, spec), *(up(row.event + w, spec) for w in _expiries(spec))]


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
