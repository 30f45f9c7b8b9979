"""Ad clicks: every click whose attribution window has closed is a labelled row."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from lockstep.contract.clicks import SCORED_EVENTS
from lockstep.lake.lake import Lake
from training.costs import DecisionCosts
from training.labelled_events import LabelledEvents
from training.tasks.two_classes import TwoClasses
from training.use_case import LABEL_KNOWN_AT, UseCase

_ATTRIBUTIONS = "clicks/attributions"
_WINDOW_END = "window_end_timestamp"
_WORTH = "download_cents"
# What a bid for a visitor costs, and what a download is worth: made up, a hundred to one.
BID_CENTS = 1.0
DOWNLOAD_CENTS = 100

_ATTRIBUTED = LabelledEvents(SCORED_EVENTS, _ATTRIBUTIONS, "attributed", more=(_WINDOW_END,))


def labelled_clicks(lake: Lake, as_of: datetime, since: datetime | None = None) -> pl.DataFrame:
    """Clicks whose attribution window had closed at `as_of`, ordered by time and id.

    One that was attributed early waits for the end of its window as the others do: else all
    the newest clicks would be positive. One that was attributed after it counts from then on.

    Raises:
        LakeError: the lake has no clicks or no attributions, or a partition is not parquet.
    """
    known = pl.max_horizontal(LABEL_KNOWN_AT, _WINDOW_END)
    rows = _ATTRIBUTED(lake, as_of, since).filter(known <= as_of)
    worth = pl.lit(DOWNLOAD_CENTS, pl.Int64).alias(_WORTH)
    return rows.with_columns(known.alias(LABEL_KNOWN_AT), worth).drop(_WINDOW_END)


def _is_new(entity: str) -> pl.Expr:
    return pl.col(f"{entity}_click_count_1d").fill_null(0) == 0


USE_CASE = UseCase(
    name="clicks",
    feature_service="clicks_v1",
    row_id=SCORED_EVENTS.row_id,
    labels_table=_ATTRIBUTIONS,
    entity_rows=labelled_clicks,
    task=TwoClasses(DecisionCosts(unit="cents", wrong_block=BID_CENTS, missed=_WORTH)),
    slices={
        "address new within a day": _is_new("ip"),
        "address seen within a day": ~_is_new("ip"),
        "app new in its channel within a day": _is_new("app_channel"),
    },
)
