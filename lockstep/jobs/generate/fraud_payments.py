"""What genuine customers do: payments over the days, before any fraud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockstep.jobs.generate.fraud_population import Population, Reach

DAY_SECONDS = 86_400
NOON_SECONDS = DAY_SECONDS / 2
TIME_OF_DAY_STD_SECONDS = 20_000.0


@dataclass(frozen=True)
class Payments:
    """One entry a payment, ordered by time; `seconds` count from the first midnight."""

    seconds: NDArray[np.int64]
    customer: NDArray[np.int64]
    terminal: NDArray[np.int64]
    cents: NDArray[np.int64]

    @property
    def day(self) -> NDArray[np.int64]:
        """Whole days since the first midnight."""
        return self.seconds // DAY_SECONDS


def draw_payments(
    rng: np.random.Generator, population: Population, reach: Reach, *, days: int
) -> Payments:
    """Every customer's payments; whoever reaches no terminal makes none."""
    customer, day = _draw_attempts(rng, population, days)
    seconds = rng.normal(NOON_SECONDS, TIME_OF_DAY_STD_SECONDS, len(day)).astype(np.int64)
    kept = (seconds > 0) & (seconds < DAY_SECONDS) & (reach.counts[customer] > 0)
    customer, seconds = customer[kept], (day * DAY_SECONDS + seconds)[kept]
    in_time = np.argsort(seconds, kind="stable")
    customer = customer[in_time]
    return Payments(
        seconds=seconds[in_time],
        customer=customer,
        terminal=_draw_terminals(rng, reach, customer),
        cents=_draw_cents(rng, population.mean_amount[customer]),
    )


def _draw_attempts(
    rng: np.random.Generator, population: Population, days: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Customer and day of each attempted payment: Poisson counts, customer by customer."""
    customers = len(population.payments_per_day)
    counts = rng.poisson(population.payments_per_day[:, np.newaxis], (customers, days))
    customer = np.repeat(np.arange(customers), counts.sum(axis=1))
    day = np.repeat(np.tile(np.arange(days), customers), counts.ravel())
    return customer, day


def _draw_terminals(
    rng: np.random.Generator, reach: Reach, customer: NDArray[np.int64]
) -> NDArray[np.int64]:
    """One terminal a payment, uniform over those in the customer's reach."""
    choice = reach.offsets[customer] + rng.integers(reach.counts[customer])
    return np.asarray(reach.terminals[choice])


def _draw_cents(rng: np.random.Generator, mean: NDArray[np.float64]) -> NDArray[np.int64]:
    """Normal amounts of half the mean as deviation; negative ones are drawn anew, uniform."""
    amount = rng.normal(mean, mean / 2)
    negative = amount < 0
    amount[negative] = rng.uniform(0, 2 * mean[negative])
    return np.rint(amount * 100).astype(np.int64)
