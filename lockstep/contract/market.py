"""Asset prices: at the end of each bar an asset is held, bought or sold."""

from __future__ import annotations

from lockstep.contract.scored_events import ScoredEvents

# A bar is not known at its end exactly, but right after it.
SCORED_EVENTS = ScoredEvents(
    table="market/bars_4h",
    row_id="bar_id",
    entity_keys=("asset_id",),
    request_columns=(),
    time_column="decision_time_us",
    decisions=("hold", "buy", "sell"),
    delay_us=1,
)
