"""The threshold is the cheapest, by a count over all of them."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.costs import DecisionCosts
from training.operating_points import RankedScores

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 100)), min_size=1, max_size=40
)


def _costs(wrong_block: float) -> DecisionCosts:
    return DecisionCosts("cents", wrong_block=wrong_block, missed="amount")


@given(ROWS, st.integers(0, 60))
def test_no_threshold_is_cheaper(rows: list[tuple[int, int, int]], wrong_block: int) -> None:
    labels, scores, amounts = (np.array(column) for column in zip(*rows, strict=True))
    costs, frame = _costs(wrong_block), pl.DataFrame({"amount": amounts})
    missing = costs.of_missing(frame)
    points = RankedScores(labels, scores.astype(float), missing).points()
    by_hand = {
        int(t): float(
            amounts[(scores < t) & (labels == 1)].sum()
            + wrong_block * ((scores >= t) & (labels == 0)).sum()
        )
        for t in np.unique(scores)
    }
    assert costs.curve(points).tolist() == [by_hand[int(t)] for t in points.thresholds]
    chosen = costs.threshold(points)
    assert by_hand[int(chosen)] == min(by_hand.values())
    nothing_caught = float(amounts[labels == 1].sum())
    saved = costs.saved_share(frame, labels, scores >= chosen, np.ones(len(labels)))
    if nothing_caught:
        assert saved == pytest.approx(1 - by_hand[int(chosen)] / nothing_caught)
    else:
        assert math.isnan(saved)


def test_flagging_nothing_saves_nothing_and_rows_that_do_not_count_change_nothing() -> None:
    rows, labels = pl.DataFrame({"amount": [5, 5, 7]}), np.array([0, 1, 1])
    saved, once = _costs(1.0).saved_share, np.ones(3)
    assert saved(rows, labels, np.zeros(3, np.bool_), once) == 0.0
    assert saved(rows, labels, np.ones(3, np.bool_), once) == pytest.approx(11 / 12)
    assert saved(rows, labels, np.ones(3, np.bool_), np.array([2.0, 1, 0])) == pytest.approx(3 / 5)
