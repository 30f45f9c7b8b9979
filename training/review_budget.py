"""What analysts find who can review so many cards a day."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.daily_share import DailyShare
from training.operating_points import Floats
from training.use_case import LABEL

CARDS_A_DAY = 100
_CARD = "customer_id"


def card_review(
    rows: pl.DataFrame, scores: Floats, *, cards_a_day: int = CARDS_A_DAY
) -> dict[str, DailyShare]:
    """Precision and recall of reviewing the `cards_a_day` cards with the highest scores.

    By the Fraud Detection Handbook (chapter 4, precision top-k metrics): a card counts
    once a day with its highest score, and a compromised card that was found is left out on
    later days. Precision's denominator is `cards_a_day` even on a day with fewer cards;
    recall's are the compromised cards of the day that were not found before.
    """
    cards = (
        rows.select(_CARD, LABEL, pl.col(EVENT_TIMESTAMP).dt.date().alias("day"))
        .with_columns(pl.Series("score", scores))
        .group_by("day", _CARD)
        .agg(pl.col("score").max(), pl.col(LABEL).max())
        .sort("day", "score", _CARD, descending=[False, True, False])
    )
    found: set[int] = set()
    caught, compromised = [], []
    for day in cards.partition_by("day", maintain_order=True):
        left = day.filter(~pl.col(_CARD).is_in(list(found)))
        hits = left.head(cards_a_day).filter(pl.col(LABEL) == 1)[_CARD].to_list()
        found.update(hits)
        caught.append(len(hits))
        compromised.append(left[LABEL].sum())
    above = np.array(caught, np.float64)
    return {
        f"card_precision_at_{cards_a_day}": DailyShare(above, np.full(len(above), cards_a_day)),
        f"card_recall_at_{cards_a_day}": DailyShare(above, np.array(compromised, np.float64)),
    }
