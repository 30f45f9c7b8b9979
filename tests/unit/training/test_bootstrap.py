"""Intervals come from whole days: wide where few days say something, the same for one seed."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_rows import DAY, START

from training.bootstrap import Days, by_day, draws


def test_each_draw_has_as_many_days_as_there_are() -> None:
    drawn = draws(7, seed=1, replicates=200)
    assert drawn.shape == (200, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert (drawn == 0).any() and (drawn > 1).any()


def test_the_interval_of_a_mean_is_that_of_the_theory() -> None:
    of_day = np.random.default_rng(2).normal(10, 3, size=400)
    found = by_day(
        lambda weights: {"mean": float(np.average(of_day, weights=weights))}, 400, replicates=2000
    )["mean"]
    half = 1.96 * of_day.std() / math.sqrt(400)
    assert found.value == pytest.approx(of_day.mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


def test_rows_of_a_day_come_and_go_together() -> None:
    """Many equal rows a day are no more evidence than one."""
    of_day = [0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    rows = pl.DataFrame({"event_timestamp": [START + DAY * (n % 7) for n in range(700)]})
    days = Days.of(rows)
    values = np.array([of_day[n % 7] for n in range(700)])
    assert days.count == 7

    def mean(weights: np.ndarray) -> dict[str, float]:
        return {"mean": float(np.average(values, weights=days.weights(weights)))}

    found = by_day(mean, days.count)["mean"]
    assert found.high - found.low > 0.5


@given(st.integers(0, 10**6))
def test_the_same_seed_gives_the_same_interval(seed: int) -> None:
    def first_day(weights: np.ndarray) -> dict[str, float]:
        return {"first": float(weights[0])}

    once, again = (by_day(first_day, 5, seed=seed, replicates=20) for _ in range(2))
    assert once == again


def test_one_day_says_nothing_of_how_sure_a_metric_is() -> None:
    (interval,) = by_day(lambda days: {"mean": 0.5}, 1).values()
    assert interval.value == 0.5
    assert np.isnan([interval.low, interval.high]).all()


def test_a_metric_that_most_draws_do_not_have_has_no_interval() -> None:
    def of_the_first_day(weights: np.ndarray) -> dict[str, float]:
        return {"x": 1.0 if weights[0] else math.nan}

    found = by_day(of_the_first_day, 10)["x"]
    assert found.value == 1.0
    assert math.isnan(found.low) and math.isnan(found.high)
