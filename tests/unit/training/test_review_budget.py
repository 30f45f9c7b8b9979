"""Card precision by hand, after the Fraud Detection Handbook."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from training.card_precision import card_precision


def _rows(*rows: tuple[int, int, int]) -> pl.DataFrame:
    """Rows of (day, card, label)."""
    return pl.DataFrame(
        {
            "event_timestamp": [datetime(2018, 4, day, 12, tzinfo=UTC) for day, _, _ in rows],
            "customer_id": [card for _, card, _ in rows],
            "label": [label for _, _, label in rows],
        }
    )


def test_a_card_counts_once_with_its_highest_score() -> None:
    rows = _rows((1, 7, 0), (1, 7, 1), (1, 8, 0))
    scores = np.array([0.9, 0.1, 0.5])
    assert card_precision(rows, scores, cards_a_day=1) == {"card_precision_at_1": 1.0}


def test_a_card_that_was_found_makes_room_on_later_days() -> None:
    rows = _rows((1, 7, 1), (2, 7, 1), (2, 8, 1))
    scores = np.array([0.9, 0.9, 0.5])
    assert card_precision(rows, scores, cards_a_day=1) == {"card_precision_at_1": 1.0}


def test_a_wrong_alarm_stays_in_the_way() -> None:
    rows = _rows((1, 7, 0), (2, 7, 0), (2, 8, 1))
    scores = np.array([0.9, 0.9, 0.5])
    assert card_precision(rows, scores, cards_a_day=1) == {"card_precision_at_1": 0.0}


def test_few_cards_do_not_shrink_the_denominator() -> None:
    found = card_precision(_rows((1, 7, 1)), np.array([0.9]))
    assert found == {"card_precision_at_100": pytest.approx(0.01)}
