"""A challenger is promoted where it is better beyond doubt, and only there."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from labelled_rows import labelled_rows

from lockstep.contract.targets import ClassTarget, Floats
from training.costs import DecisionCosts
from training.promotion import Decision, PromotionRules, decide
from training.scored_rows import ScoredRows
from training.tasks.two_classes import TwoClasses
from training.use_case import UseCase

USE_CASE = UseCase(
    name="toy",
    feature_service="toy_v1",
    row_id="transaction_id",
    labels_table="toy/verdicts",
    entity_rows=lambda lake, as_of, since=None: pl.DataFrame(),
    task=TwoClasses(DecisionCosts("cents", 1.0, "amount")),
    slices={"odd": pl.col("transaction_id") % 2 == 1, "even": pl.col("transaction_id") % 2 == 0},
)
ROWS = labelled_rows(days=10, a_day=80, delay=timedelta(days=1), positive_every=3).with_columns(
    amount=pl.lit(5)
)


def scored(noise: float, *, seed: int, shift: float = 0.0) -> ScoredRows:
    """Scores that say more of the label the less noise there is."""
    noises = np.random.default_rng(seed).normal(scale=noise, size=ROWS.height)
    logits = 2 * ROWS["label"].to_numpy() - 1 + noises + shift
    return judged(ROWS, 1 / (1 + np.exp(-logits)))


def judged(rows: pl.DataFrame, scores: Floats, use_case: UseCase = USE_CASE) -> ScoredRows:
    return use_case.task.scored(rows, scores[:, np.newaxis], ClassTarget(0.5), use_case)


def decided(champion: ScoredRows, challenger: ScoredRows, **more: object) -> Decision:
    options = {"latency_ms": 0.1, "replicates": 200} | more
    return decide(champion, challenger, PromotionRules(), **options)  # type: ignore[arg-type]


def holds(decision: Decision) -> dict[str, bool]:
    return {check.name.split()[0].strip(","): check.holds for check in decision.checks}


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
    blind = judged(ROWS, np.where(odd, good.scores * 0.49, good.scores))
    slices = next(c for c in decided(champion, blind).checks if c.name == "slices")
    assert not slices.holds
    assert slices.found.startswith("odd: 0.") and "even" not in slices.found


def test_a_slow_model_and_a_parity_mismatch_are_refused() -> None:
    pair = scored(3.0, seed=1), scored(0.7, seed=1)
    assert not holds(decided(*pair, latency_ms=99.0))["latency"]
    assert not holds(decided(*pair, parity="3 unexplained mismatches"))["parity"]
    assert holds(decided(*pair, parity=""))["parity"]


def test_a_gain_that_is_not_known_is_none() -> None:
    rows = ROWS.with_columns(label=(pl.int_range(pl.len()) == 0).cast(pl.Int64))
    both = scored(3.0, seed=1), scored(1.0, seed=1)
    pair = [judged(rows, model.scores) for model in both]
    decision = decided(*pair)
    assert math.isnan(decision.difference["average_precision"].low)
    assert not decision.is_promoted


def test_without_a_champion_the_floors_decide() -> None:
    floors = {"average_precision": 0.5, "recall": 0.2}
    high = replace(USE_CASE, floors=floors)
    good, bad = scored(0.7, seed=1), scored(9.0, seed=1)
    found = decide_alone(judged(ROWS, good.scores, high))
    assert found.is_promoted and (found.champion, found.difference) == ({}, {})
    refused = decide_alone(judged(ROWS, bad.scores, high))
    assert not holds(refused)["average_precision"] and not refused.is_promoted


def test_a_floor_that_is_not_reached_refuses_the_better_model_too() -> None:
    high = replace(USE_CASE, floors={"average_precision": 0.999})
    pair = [judged(ROWS, scored(noise, seed=1).scores, high) for noise in (3.0, 0.7)]
    floor = next(c for c in decided(*pair).checks if c.name == "average_precision above 0.999")
    assert not floor.holds and not decided(*pair).is_promoted


def decide_alone(challenger: ScoredRows) -> Decision:
    return decide(None, challenger, PromotionRules(), latency_ms=0.1, replicates=100)
