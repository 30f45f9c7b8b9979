"""Who pays whom, when and how much: the laws of the handbook's model before any fraud."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from simulations import few, sizes

from lockstep.jobs.generate.fraud import Options, Simulation, simulate

# Of a normal day: the share of draws around noon that fall inside it.
INSIDE_THE_DAY = 0.9692


@pytest.fixture(scope="module")
def large() -> Simulation:
    return simulate(Options(customers=1_000, terminals=2_000, days=60, seed=3))


@few
@given(sizes)
def test_terminals_lie_within_the_radius(options: Options) -> None:
    drawn = simulate(options)
    customers = drawn.population.customer_xy[drawn.payments.customer]
    terminals = drawn.population.terminal_xy[drawn.payments.terminal]
    assert (np.hypot(*(customers - terminals).T) < options.radius).all()


@few
@given(sizes)
def test_reach_holds_every_terminal_within_the_radius(options: Options) -> None:
    drawn = simulate(options)
    for customer, xy in enumerate(drawn.population.customer_xy):
        near = np.flatnonzero(np.hypot(*(drawn.population.terminal_xy - xy).T) < options.radius)
        own = slice(*drawn.reach.offsets[customer : customer + 2])
        assert drawn.reach.terminals[own].tolist() == near.tolist()


def test_whoever_reaches_no_terminal_pays_nothing() -> None:
    drawn = simulate(Options(customers=200, terminals=20, days=30))
    out_of_reach = np.flatnonzero(drawn.reach.counts == 0)
    assert len(out_of_reach) > 0
    assert not np.isin(drawn.payments.customer, out_of_reach).any()


def test_people_are_uniform_in_their_ranges(large: Simulation) -> None:
    people = large.population
    for values, low, high in (
        (people.mean_amount, 5, 100),
        (people.payments_per_day, 0, 4),
        (people.customer_xy, 0, 100),
        (people.terminal_xy, 0, 100),
    ):
        assert low <= values.min() and values.max() <= high
        quartiles = np.quantile((values - low) / (high - low), [0.25, 0.5, 0.75])
        assert quartiles == pytest.approx([0.25, 0.5, 0.75], abs=0.06)


def test_customers_pay_at_their_own_rate(large: Simulation) -> None:
    counts = np.bincount(large.payments.customer, minlength=1_000)
    expected = large.population.payments_per_day * 60 * INSIDE_THE_DAY
    expected[large.reach.counts == 0] = 0
    assert counts.sum() == pytest.approx(expected.sum(), rel=0.01)
    # Poisson: five deviations for each of a thousand customers.
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected) + 1).all()


def test_times_of_day_are_normal_around_noon(large: Simulation) -> None:
    from_noon = large.payments.seconds % 86_400 - 43_200
    assert np.median(from_noon) == pytest.approx(0, abs=300)
    within = (np.abs(from_noon) < 20_000).mean()
    assert within == pytest.approx(0.6827 / INSIDE_THE_DAY, abs=0.01)


def test_amounts_are_normal_around_the_customers_mean(large: Simulation) -> None:
    mean = large.population.mean_amount[large.payments.customer]
    relative = large.payments.cents / 100 / mean
    assert relative.min() >= 0
    # 2.3 % are negative and drawn anew from 0..2, half of which fall within 0.5..1.5.
    within = ((relative > 0.5) & (relative < 1.5)).mean()
    assert within == pytest.approx(0.6827 + 0.0228 / 2, abs=0.01)
    assert (relative > 2).mean() == pytest.approx(0.0228, abs=0.004)


def test_reachable_terminals_are_equally_likely(large: Simulation) -> None:
    reach, payments = large.reach, large.payments
    starts, counts = reach.offsets[payments.customer], reach.counts[payments.customer]
    span = 2_000
    owner = np.repeat(np.arange(1_000), reach.counts)
    places = np.searchsorted(
        owner * span + reach.terminals, payments.customer * span + payments.terminal
    )
    rank = (places - starts + 0.5) / counts
    assert np.quantile(rank, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.02)
