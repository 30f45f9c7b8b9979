"""What is scored in a use case, and what its scores are called: over HTTP and in batch alike."""

from __future__ import annotations

from dataclasses import dataclass

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
    is to be in its windows, since what happens at T exactly is not known at T.
    """

    table: str
    row_id: str
    entity_keys: tuple[str, ...]
    request_columns: tuple[str, ...]
    time_column: str
    decisions: tuple[str, ...]
    delay_us: int = 0

    def decision(self, number: int) -> str | None:
        """What is done about an event; None where nothing is decided."""
        return self.decisions[number] if self.decisions else None

    def t(self) -> pl.Expr:
        """T of each event, called `event_timestamp` as the event's own time is."""
        return pl.col(EVENT_TIMESTAMP) + pl.duration(microseconds=self.delay_us)
