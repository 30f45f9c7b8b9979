"""Ad clicks: a click is scored, and its visitor is bid for or passed over."""

from __future__ import annotations

from lockstep.contract.scored_events import ScoredEvents

SCORED_EVENTS = ScoredEvents(
    table="clicks/clicks",
    row_id="click_id",
    entity_keys=("ip", "app", "device", "os", "channel"),
    request_columns=(),
    time_column="click_time_us",
    decisions=("pass", "bid"),
)
