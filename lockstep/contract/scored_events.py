"""What is scored in a use case, and what its scores are called: over HTTP and in batch alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from lockstep.windows.spec import EVENT_TIMESTAMP


@dataclass(frozen=True)
class ScoredEvents:
    """The events of one use case as a request brings them, and as the lake holds them.

    `table` is the facts' table in the lake, whose `row_id` names an event. A model's input is
    made from `entity_keys`, the values in `request_columns`, and T, which the on-demand
    functions read as whole microseconds UTC under the name `time_column`. `decisions` are what
    may be decided, as the model's target numbers it: first what happens to most; none where a
    number is estimated. T is `delay_us` microseconds after the event: 1 where the event itself
    is to be in its windows, since what happens at T exactly is not known at T. A request does not
    name the `derived_keys`, which follow from the rest, nor a column that is `not_stated`.
    """

    table: str
    row_id: str
    entity_keys: tuple[str, ...]
    request_columns: tuple[str, ...]
    time_column: str
    decisions: tuple[str, ...]
    delay_us: int = 0
    derived_keys: tuple[str, ...] = ()
    not_stated: int | None = None

    def decision(self, number: int) -> str | None:
        """What is done about an event; None where nothing is decided."""
        return self.decisions[number] if self.decisions else None

    def body(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a request for an event in the lake; T is to be added."""
        asked = (*self.entity_keys, *self.request_columns)
        told = {name: row[name] for name in asked if name not in self.derived_keys}
        return {name: value for name, value in told.items() if value != self.not_stated}

    def t(self) -> pl.Expr:
        """T of each event, called `event_timestamp` as the event's own time is."""
        return pl.col(EVENT_TIMESTAMP) + pl.duration(microseconds=self.delay_us)
