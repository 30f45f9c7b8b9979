"""What the window core must answer, written as the definitions read: slowly.

Shares no code with `lockstep.windows` but the specification's types.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from lockstep.windows.spec import WindowSpec


class Row(NamedTuple):
    """One event: integer microseconds, one value."""

    key: int
    event: int
    created: int
    value: int


def values_at(rows: Iterable[Row], spec: WindowSpec, t: int) -> dict[str, Any]:
    """The features of one entity at t: a row counts when event < t < event + w."""
    answer: dict[str, Any] = {}
    for window, length in zip(spec.windows, spec.lengths_us, strict=True):
        held = [row.value for row in rows if row.event < t < row.event + length]
        for aggregation in spec.aggregations:
            name = spec.feature(aggregation, window)
            match aggregation.function:
                case "count":
                    answer[name] = len(held)
                case "sum":
                    answer[name] = sum(held)
                case _:
                    answer[name] = sum(held) / len(held) if held else None
    return answer


def stored_steps(
    rows: Iterable[Row], spec: WindowSpec, *, start: int, end: int
) -> list[dict[str, Any]]:
    """Every stored version whose max(event, created) lies in [start, end), in table order."""
    rows = [row._replace(created=max(row.event, row.created)) for row in rows]
    stored = []
    for key in sorted({row.key for row in rows}):
        mine = [row for row in rows if row.key == key]
        changes = {row.event + 1 for row in mine}
        changes |= {row.event + w for row in mine for w in spec.lengths_us}
        for s in sorted(changes):
            for version in _versions_of(s, mine, spec):
                if start <= max(s, version["created_timestamp"]) < end:
                    stored.append({"key": key, **version})
    return stored


def _versions_of(s: int, rows: list[Row], spec: WindowSpec) -> list[dict[str, Any]]:
    belonging = [row for row in rows if row.event < s <= row.event + spec.lengths_us[-1]]
    creators = [
        row for row in rows if s == row.event + 1 or s in {row.event + w for w in spec.lengths_us}
    ]
    known_from = min(row.created for row in creators)
    late = sorted({row.created for row in belonging if row.created > s})
    found = []
    for known_as_of in [s, *late]:
        known = [row for row in belonging if row.created <= known_as_of]
        if known_as_of < known_from:
            continue
        expiries = [row.event + w for row in known for w in spec.lengths_us if row.event + w > s]
        found.append(
            {
                "event_timestamp": s,
                "created_timestamp": max(row.created for row in known),
                **values_at(known, spec, s),
                "valid_until_us": min(expiries, default=None),
            }
        )
    return found
