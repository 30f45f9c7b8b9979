"""One row of results: what was measured and whether it meets its goals."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Op = Literal["<=", ">=", "=="]
_OPS: dict[Op, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Goal:
    """A bound on one field of a row."""

    field: str
    op: Op
    value: float

    def met_by(self, row: dict[str, Any]) -> bool:
        """Whether the row has the field and it keeps the bound."""
        got = row.get(self.field)
        return got is not None and _OPS[self.op](got, self.value)


@dataclass(frozen=True)
class Measurement:
    """Medians of one benchmark, ours beside its peer and its limit from the same run.

    `larger_is_better` tells a throughput from a time. `extra` are further measured
    fields, such as `peak_mb` (10^6 bytes) or `p99_ms`.
    """

    name: str
    ours: float
    unit: str
    rows: int
    goals: tuple[Goal, ...]
    peer: float | None = None
    limit: float | None = None
    larger_is_better: bool = False
    extra: dict[str, float] = field(default_factory=dict)

    def as_row(self, *, machine: str, date: str, command: str) -> dict[str, Any]:
        """The row as it stands in results.json; ratios are larger when we are better."""
        row: dict[str, Any] = {
            "name": self.name,
            "ours": round(self.ours, 4),
            "peer": None if self.peer is None else round(self.peer, 4),
            "limit": None if self.limit is None else round(self.limit, 4),
            "unit": self.unit,
            "ratio_to_peer": self._ratio(self.peer),
            "ratio_to_limit": self._ratio(self.limit),
            "goal": [{"field": g.field, "op": g.op, "value": g.value} for g in self.goals],
            "rows": self.rows,
            "machine": machine,
            "date": date,
            "command": command,
            **{name: round(value, 4) for name, value in self.extra.items()},
        }
        return row | {"met": all(goal.met_by(row) for goal in self.goals)}

    def _ratio(self, other: float | None) -> float | None:
        if other is None:
            return None
        return round(self.ours / other if self.larger_is_better else other / self.ours, 3)
