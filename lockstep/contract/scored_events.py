"""What is scored in a use case, and what its scores are called: over HTTP and in batch alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoredEvents:
    """The events of one use case as a request brings them, and as the lake holds them.

    `table` is the facts' table in the lake, whose `row_id` names an event. A model's input is
    made from `entity_keys`, the values in `request_columns`, and T, which the on-demand
    functions read as whole microseconds UTC under the name `time_column`. `positive` and
    `negative` are the decisions.
    """

    table: str
    row_id: str
    entity_keys: tuple[str, ...]
    request_columns: tuple[str, ...]
    time_column: str
    positive: str
    negative: str

    def decision(self, is_positive: bool) -> str:
        """What is done about an event whose score is, or is not, positive."""
        return self.positive if is_positive else self.negative
