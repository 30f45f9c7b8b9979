"""Who cheats: the three fraud scenarios laid over the payments, later ones over earlier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockstep.jobs.generate.fraud_payments import Payments

LARGE_AMOUNT_CENTS = 22_000
TERMINALS_A_DAY, TERMINAL_DAYS = 2, 28
CUSTOMERS_A_DAY, CUSTOMER_DAYS = 3, 14
SHARE_OF_PAYMENTS, AMOUNT_FACTOR = 3, 5


@dataclass(frozen=True)
class Frauds:
    """Amounts after fraud and the scenario of each payment (0 genuine), with their causes.

    Row d of `terminals` and of `customers` is who was compromised on day d; entry d of
    `amplified` is the payments that were multiplied because of that day's customers.
    """

    cents: NDArray[np.int64]
    scenario: NDArray[np.int64]
    terminals: NDArray[np.int64]
    customers: NDArray[np.int64]
    amplified: tuple[NDArray[np.int64], ...]


def commit_frauds(
    rng: np.random.Generator, payments: Payments, *, customers: int, terminals: int, days: int
) -> Frauds:
    """The payments' amounts and scenarios once all three scenarios have been applied.

    A payment that is amplified because of several days is multiplied each time.
    """
    bad_terminals = _draw_daily(rng, terminals, TERMINALS_A_DAY, days)
    bad_customers = _draw_daily(rng, customers, CUSTOMERS_A_DAY, days)
    amplified = _draw_amplified(rng, payments, bad_customers)
    cents = payments.cents.copy()
    scenario = np.where(cents > LARGE_AMOUNT_CENTS, 1, 0)
    scenario[_at_bad_terminal(payments, bad_terminals, terminals)] = 2
    for chosen in amplified:
        cents[chosen] *= AMOUNT_FACTOR
        scenario[chosen] = 3
    return Frauds(cents, scenario, bad_terminals, bad_customers, amplified)


def _draw_daily(
    rng: np.random.Generator, population: int, a_day: int, days: int
) -> NDArray[np.int64]:
    """`a_day` different ids for each day; all of them where there are fewer."""
    size = min(a_day, population)
    return np.stack([rng.choice(population, size, replace=False) for _ in range(days)])


def _at_bad_terminal(
    payments: Payments, bad_terminals: NDArray[np.int64], terminals: int
) -> NDArray[np.bool_]:
    """Whether each payment was made while its terminal was compromised."""
    days = len(bad_terminals)
    compromised = np.zeros((terminals, days), dtype=np.bool_)
    for day, ids in enumerate(bad_terminals):
        compromised[ids, day : day + TERMINAL_DAYS] = True
    return np.asarray(compromised[payments.terminal, payments.day])


def _draw_amplified(
    rng: np.random.Generator, payments: Payments, bad_customers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], ...]:
    """For each day a third of the payments that its compromised customers make in the window."""
    by_customer = np.argsort(payments.customer, kind="stable")
    # One number orders by customer, then by day: a customer's window is one slice of it.
    span = len(bad_customers) + CUSTOMER_DAYS
    place = payments.customer[by_customer] * span + payments.day[by_customer]
    chosen = []
    for day, ids in enumerate(bad_customers):
        starts = np.searchsorted(place, ids * span + day)
        ends = np.searchsorted(place, ids * span + day + CUSTOMER_DAYS)
        slices = [by_customer[a:b] for a, b in zip(starts, ends, strict=True)]
        candidates = np.concatenate(slices)
        chosen.append(rng.choice(candidates, len(candidates) // SHARE_OF_PAYMENTS, replace=False))
    return tuple(chosen)
