"""Card precision: of the cards that analysts can review in a day, how many are compromised."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.use_case import LABEL

CARDS_A_DAY = 100
_CARD = "customer_id"


def card_precision(
    rows: pl.DataFrame, scores: NDArray[np.float64], *, cards_a_day: int = CARDS_A_DAY
) -> Mapping[str, float]:
    """The mean over days of the share of compromised cards among the top `cards_a_day`.

    By the Fraud Detection Handbook (chapter 4, precision top-k metrics): a card counts
    once a day with its highest score, and a compromised card that was found is left out
    on later days. The denominator is `cards_a_day` even on a day with fewer cards.
    """
    cards = (
        rows.select(_CARD, LABEL, pl.col(EVENT_TIMESTAMP).dt.date().alias("day"))
        .with_columns(pl.Series("score", scores))
        .group_by("day", _CARD)
        .agg(pl.col("score").max(), pl.col(LABEL).max())
        .sort("day", "score", _CARD, descending=[False, True, False])
    )
    found: set[int] = set()
    shares: list[float] = []
    for day in cards.partition_by("day", maintain_order=True):
        top = day.filter(~pl.col(_CARD).is_in(list(found))).head(cards_a_day)
        caught = top.filter(pl.col(LABEL) == 1)[_CARD].to_list()
        found.update(caught)
        shares.append(len(caught) / cards_a_day)
    return {f"card_precision_at_{cards_a_day}": float(np.mean(shares))}
