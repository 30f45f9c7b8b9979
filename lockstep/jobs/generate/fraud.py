"""Card transactions after the published simulator of the Fraud Detection Handbook.

The model, and nothing of its code or text, is from Y.-A. Le Borgne, W. Siblini,
B. Lebichot and G. Bontempi, "Reproducible Machine Learning for Credit Card Fraud
Detection - Practical Handbook", Université Libre de Bruxelles, 2022, chapter 3,
"Transaction data simulator". Its facts:

- customers and terminals lie uniform on a plane of 100 by 100; a customer pays at the
  terminals nearer than a radius, each as likely as the other;
- a customer's mean amount m is uniform in 5..100 and the number of payments a day is
  Poisson with a mean uniform in 0..4;
- a payment's second of the day is normal around noon with deviation 20,000 and is dropped
  outside the day; its amount is normal (m, m / 2), a negative one is replaced by a uniform
  draw from 0..2m;
- fraud 1: any amount above 220. Fraud 2: each day two terminals are compromised, and all
  that they take for 28 days is fraud. Fraud 3: each day three customers are compromised,
  and a third of their payments of 14 days is five times as large and fraud. A later
  scenario overwrites an earlier one.

The same options give the same rows; amounts are whole cents throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl

from lockstep.jobs.generate.errors import GenerateError
from lockstep.jobs.generate.fraud_payments import Payments, draw_payments
from lockstep.jobs.generate.fraud_population import Population, Reach, draw_population, find_reach
from lockstep.jobs.generate.fraud_scenarios import Frauds, commit_frauds

_END_OF_TIME = date(2100, 1, 1)


@dataclass(frozen=True)
class Options:
    """The size of the simulation, its first day, and the seed that decides everything else.

    Raises:
        GenerateError: a size below one, a negative seed, or days outside 1970 to 2099.
    """

    customers: int = 1_000
    terminals: int = 2_000
    days: int = 120
    seed: int = 7
    start: date = date(2018, 4, 1)
    radius: float = 5.0

    def __post_init__(self) -> None:
        for option in ("customers", "terminals", "days"):
            if getattr(self, option) < 1:
                raise GenerateError.out_of_range(option, getattr(self, option), "at least 1")
        if self.seed < 0:
            raise GenerateError.out_of_range("seed", self.seed, "at least 0")
        if self.radius <= 0:
            raise GenerateError.out_of_range("radius", self.radius, "more than 0")
        last = (_END_OF_TIME - self.start).days
        if self.start.year < 1970 or self.days > last:
            got = f"{self.start} for {self.days:,} days"
            raise GenerateError.out_of_range("start", got, "days between 1970 and 2099")


@dataclass(frozen=True)
class Simulation:
    """Everything that was drawn; the transactions are only what a bank would see of it."""

    population: Population
    reach: Reach
    payments: Payments
    frauds: Frauds


def generate(options: Options) -> pl.DataFrame:
    """The transactions in the handbook's columns, ordered by time, ids from 0.

    TX_DATETIME is naive UTC in microseconds, as in the handbook's own file.
    """
    simulation = simulate(options)
    payments, frauds = simulation.payments, simulation.frauds
    start = datetime.combine(options.start, datetime.min.time())
    return pl.DataFrame(
        {
            "TRANSACTION_ID": np.arange(len(payments.seconds)),
            "TX_DATETIME": pl.Series(payments.seconds * 1_000_000).cast(pl.Duration("us")) + start,
            "CUSTOMER_ID": payments.customer,
            "TERMINAL_ID": payments.terminal,
            "TX_AMOUNT": frauds.cents / 100,
            "TX_TIME_SECONDS": payments.seconds,
            "TX_TIME_DAYS": payments.day,
            "TX_FRAUD": (frauds.scenario > 0).astype(np.int64),
            "TX_FRAUD_SCENARIO": frauds.scenario,
        }
    )


def simulate(options: Options) -> Simulation:
    """One draw of the whole model; each part has its own stream of the seed."""
    streams = np.random.SeedSequence(options.seed).spawn(3)
    people, spending, cheating = (np.random.default_rng(stream) for stream in streams)
    sizes = {"customers": options.customers, "terminals": options.terminals}
    population = draw_population(people, **sizes)
    reach = find_reach(population, options.radius)
    payments = draw_payments(spending, population, reach, days=options.days)
    frauds = commit_frauds(cheating, payments, days=options.days, **sizes)
    return Simulation(population, reach, payments, frauds)
