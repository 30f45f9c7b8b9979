"""Reviews of the top cards by hand, after the Fraud Detection Handbook."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from training.review_budget import card_review


def _rows(*rows: tuple[int, int, int]) -> pl.DataFrame:
    """Rows of (day, card, label)."""
    return pl.DataFrame(
        {
            "event_timestamp": [datetime(2018, 4, day, 12, tzinfo=UTC) for day, _, _ in rows],
            "customer_id": [card for _, card, _ in rows],
            "label": [label for _, _, label in rows],
        }
    )


def _precision(rows: pl.DataFrame, *scores: float, cards: int = 1) -> float:
    shares = card_review(rows, np.array(scores), cards_a_day=cards)
    days = rows["event_timestamp"].dt.date().n_unique()
    return shares[f"card_precision_at_{cards}"].of_days(np.ones(days))


def test_a_card_counts_once_with_its_highest_score() -> None:
    assert _precision(_rows((1, 7, 0), (1, 7, 1), (1, 8, 0)), 0.9, 0.1, 0.5) == 1.0


def test_a_card_that_was_found_makes_room_on_later_days() -> None:
    assert _precision(_rows((1, 7, 1), (2, 7, 1), (2, 8, 1)), 0.9, 0.9, 0.5) == 1.0


def test_a_wrong_alarm_stays_in_the_way() -> None:
    assert _precision(_rows((1, 7, 0), (2, 7, 0), (2, 8, 1)), 0.9, 0.9, 0.5) == 0.0


def test_few_cards_do_not_shrink_the_denominator() -> None:
    assert _precision(_rows((1, 7, 1)), 0.9, cards=100) == pytest.approx(0.01)


def test_recall_asks_for_the_cards_that_were_not_found_before() -> None:
    rows = _rows((1, 7, 1), (1, 8, 1), (2, 7, 1), (2, 9, 1))
    recall = card_review(rows, np.array([0.9, 0.5, 0.9, 0.1]), cards_a_day=1)["card_recall_at_1"]
    # 7 of 7 and 8 on the first day; then 7 makes room for 9, which alone is left.
    assert recall.of_days(np.ones(2)) == pytest.approx(2 / 3)
    assert recall.of_days(np.array([0.0, 1.0])) == 1.0


def test_a_day_without_compromised_cards_has_no_recall() -> None:
    recall = card_review(_rows((1, 7, 0)), np.array([0.9]))["card_recall_at_100"]
    assert np.isnan(recall.of_days(np.ones(1)))
