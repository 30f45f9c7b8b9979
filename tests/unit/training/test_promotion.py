"""A challenger is promoted where it is better beyond doubt, and only there."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from labelled_rows import labelled_rows

from training.costs import DecisionCosts
from training.evaluate import ScoredRows
from training.promotion import Decision, PromotionRules, decide
from training.use_case import UseCase

USE_CASE = UseCase(
    name="toy",
    feature_service="toy_v1",
    row_id="transaction_id",
    labels_table="toy/verdicts",
    entity_rows=lambda lake, as_of, since=None: pl.DataFrame(),
    costs=DecisionCosts("cents", 1.0, "amount"),
    slices={"odd": pl.col("transaction_id") % 2 == 1, "even": pl.col("transaction_id") % 2 == 0},
)
ROWS = labelled_rows(days=10, a_day=80, delay=timedelta(days=1), positive_every=3).with_columns(
    amount=pl.lit(5)
)


def scored(noise: float, *, seed: int, shift: float = 0.0) -> ScoredRows:
    """Scores that say more of the label the less noise there is."""
    noises = np.random.default_rng(seed).normal(scale=noise, size=ROWS.height)
    logits = 2 * ROWS["label"].to_numpy() - 1 + noises + shift
    return ScoredRows(ROWS, 1 / (1 + np.exp(-logits)), 0.5, USE_CASE)


def decided(champion: ScoredRows, challenger: ScoredRows, **more: object) -> Decision:
    options = {"latency_ms": 0.1, "replicates": 200} | more
    return decide(champion, challenger, PromotionRules(), **options)  # type: ignore[arg-type]


def holds(decision: Decision) -> dict[str, bool]:
    return {check.name.split()[0]: check.holds for check in decision.checks}


def test_a_better_model_is_promoted() -> None:
    decision = decided(scored(3.0, seed=1), scored(0.7, seed=1))
    assert decision.is_promoted
    assert decision.difference["average_precision"].low > 0.1


def test_an_equal_model_is_refused() -> None:
    champion = scored(1.0, seed=1)
    decision = decided(champion, champion)
    assert not holds(decision)["average_precision"]
    gain = decision.difference["average_precision"]
    assert (gain.low, gain.value, gain.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_luck_is_no_reason(seed: int) -> None:
    """Two models of the same worth differ; the interval knows that."""
    decision = decided(scored(1.5, seed=100 + seed), scored(1.5, seed=200 + seed))
    gain = decision.difference["average_precision"]
    assert gain.low < 0.02 and gain.high > -0.02


def test_a_worse_model_is_refused() -> None:
    assert not decided(scored(0.7, seed=1), scored(3.0, seed=1)).is_promoted


def test_scores_that_are_no_probabilities_any_more_are_refused() -> None:
    decision = decided(scored(1.0, seed=1), scored(0.7, seed=1, shift=4.0))
    assert holds(decision)["average_precision"]
    assert not holds(decision)["calibration"]
    assert not decision.is_promoted


def test_a_slice_that_loses_is_named() -> None:
    champion, good = scored(1.0, seed=1), scored(0.3, seed=1)
    odd = (ROWS["transaction_id"] % 2 == 1).to_numpy()
    blind = ScoredRows(ROWS, np.where(odd, good.scores * 0.49, good.scores), 0.5, USE_CASE)
    slices = next(c for c in decided(champion, blind).checks if c.name == "slices")
    assert not slices.holds
    assert slices.found.startswith("odd: recall") and "even" not in slices.found


def test_a_slow_model_and_a_parity_mismatch_are_refused() -> None:
    pair = scored(3.0, seed=1), scored(0.7, seed=1)
    assert not holds(decided(*pair, latency_ms=99.0))["latency"]
    assert not holds(decided(*pair, parity="3 unexplained mismatches"))["parity"]
    assert holds(decided(*pair, parity=""))["parity"]


def test_a_gain_that_is_not_known_is_none() -> None:
    rows = ROWS.with_columns(label=(pl.int_range(pl.len()) == 0).cast(pl.Int64))
    both = scored(3.0, seed=1), scored(1.0, seed=1)
    pair = [ScoredRows(rows, model.scores, 0.5, USE_CASE) for model in both]
    decision = decided(*pair)
    assert math.isnan(decision.difference["average_precision"].low)
    assert not decision.is_promoted
