"""What a look at SQL over raw events found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 3


@dataclass(frozen=True)
class SqlExample:
    """One value that differs; None for null. A `feature` of `step_us` is the step's own time."""

    request_id: str
    t: str
    view: str
    feature: str
    joined: Any
    sql: Any


@dataclass(frozen=True)
class SqlCheck:
    """How many values of how many vectors were looked up in SQL, and which differ.

    `differing` counts by view and feature. `not_covered` counts the vectors of views of which
    SQL says nothing, by why; `vectors` are those that were drawn.
    """

    vectors: int = 0
    values: int = 0
    differing: Mapping[str, int] = field(default_factory=dict)
    not_covered: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[SqlExample, ...] = ()

    @property
    def mismatches(self) -> int:
        """How many values differ."""
        return sum(self.differing.values())

    def __add__(self, other: SqlCheck) -> SqlCheck:
        return SqlCheck(
            self.vectors + other.vectors,
            self.values + other.values,
            dict(Counter(self.differing) + Counter(other.differing)),
            dict(Counter(self.not_covered) + Counter(other.not_covered)),
            (*self.examples, *other.examples)[:EXAMPLES],
        )
