"""The three scenarios of fraud in the handbook's model."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from simulations import few, simulations, sizes

from lockstep.jobs.generate.fraud import Options, Simulation, simulate


@few
@given(simulations)
def test_scenario_1_is_an_amount_above_220_that_no_later_scenario_took(drawn: Simulation) -> None:
    large = drawn.payments.cents > 22_000
    taken = np.isin(drawn.frauds.scenario, (2, 3))
    assert ((drawn.frauds.scenario == 1) == (large & ~taken)).all()


@few
@given(simulations)
def test_scenario_2_is_a_terminal_within_28_days_of_its_compromise(drawn: Simulation) -> None:
    day, terminal = drawn.payments.day, drawn.payments.terminal
    compromised = np.zeros(len(day), dtype=bool)
    for first, terminals in enumerate(drawn.frauds.terminals):
        inside = (day >= first) & (day < first + 28)
        compromised |= inside & np.isin(terminal, terminals)
    later = drawn.frauds.scenario == 3
    assert ((drawn.frauds.scenario == 2) == (compromised & ~later)).all()


@few
@given(simulations)
def test_scenario_3_is_a_third_of_14_days_of_three_customers(drawn: Simulation) -> None:
    day, customer = drawn.payments.day, drawn.payments.customer
    for first, customers in enumerate(drawn.frauds.customers):
        inside = (day >= first) & (day < first + 14) & np.isin(customer, customers)
        chosen = drawn.frauds.amplified[first]
        assert inside[chosen].all()
        assert len(set(chosen.tolist())) == len(chosen) == inside.sum() // 3


@few
@given(simulations)
def test_scenario_3_multiplies_by_five_and_nothing_else_changes(drawn: Simulation) -> None:
    times = np.zeros(len(drawn.payments.cents), dtype=np.int64)
    for chosen in drawn.frauds.amplified:
        times[chosen] += 1
    assert (drawn.frauds.cents == drawn.payments.cents * 5**times).all()
    assert ((drawn.frauds.scenario == 3) == (times > 0)).all()


@few
@given(sizes)
def test_two_terminals_and_three_customers_a_day_where_there_are_as_many(options: Options) -> None:
    frauds = simulate(options).frauds
    assert frauds.terminals.shape == (options.days, min(2, options.terminals))
    assert frauds.customers.shape == (options.days, min(3, options.customers))
    for ids in (*frauds.terminals, *frauds.customers):
        assert len(set(ids.tolist())) == len(ids)
