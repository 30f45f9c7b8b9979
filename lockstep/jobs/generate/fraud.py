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

A city is one such plane. More cities are more people at the same rates of payments and of
fraud: they share nothing but the clock, so that a set of any size takes the memory of one.

The same options give the same rows; amounts are whole cents throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.jobs.generate.errors import GenerateError
from lockstep.jobs.generate.fraud_payments import Payments, draw_payments
from lockstep.jobs.generate.fraud_population import Population, Reach, draw_population, find_reach
from lockstep.jobs.generate.fraud_scenarios import Frauds, commit_frauds
from lockstep.jobs.generate.limits import check_options

# About the rows of one frame, hence of one row group of the file.
_ROWS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Options:
    """The size of the simulation, its first day, and the seed that decides everything else.

    Customers and terminals are those of each city.

    Raises:
        GenerateError: a size below one, a negative seed, or days outside 1970 to 2099.
    """

    customers: int = 1_000
    terminals: int = 2_000
    days: int = 120
    seed: int = 7
    start: date = date(2018, 4, 1)
    radius: float = 5.0
    cities: int = 1

    def __post_init__(self) -> None:
        check_options(self, sizes=("customers", "terminals", "days", "cities"))
        # So that NaN is refused too.
        if not self.radius > 0:
            raise GenerateError.out_of_range("radius", self.radius, "more than 0")


@dataclass(frozen=True)
class Simulation:
    """Everything that was drawn; the transactions are only what a bank would see of it."""

    population: Population
    reach: Reach
    payments: Payments
    frauds: Frauds


def generate(options: Options) -> pl.DataFrame:
    """All transactions at once; see `generate_frames`."""
    return pl.concat(generate_frames(options))


def generate_frames(options: Options) -> Iterator[pl.DataFrame]:
    """The transactions in the handbook's columns, some days at a time.

    They are ordered by time, ids from 0; there is at least one frame. TX_DATETIME is naive
    UTC in microseconds, as in the handbook's own file.
    """
    with TemporaryDirectory(prefix="lockstep-generate-") as folder:
        cities = [_draw_city(options, city, Path(folder)) for city in range(options.cities)]
        rows = sum(int(city.firsts[-1]) for city in cities)
        step = max(1, options.days * _ROWS_AT_ONCE // max(rows, 1))
        next_id = 0
        for day in range(0, options.days, step):
            parts = [city.between(day, min(day + step, options.days)) for city in cities]
            frame = pl.concat(parts).sort("TX_DATETIME", maintain_order=True)
            numbers = pl.int_range(next_id, next_id + len(frame), dtype=pl.Int64, eager=True)
            yield frame.insert_column(0, numbers.alias("TRANSACTION_ID"))
            next_id += len(frame)


@dataclass(frozen=True)
class _City:
    """One city's transactions in a file, ordered by time; day d begins at row `firsts[d]`."""

    file: Path
    firsts: NDArray[np.int64]

    def between(self, first: int, stop: int) -> pl.DataFrame:
        """The transactions of the days [first, stop)."""
        start, end = int(self.firsts[first]), int(self.firsts[stop])
        return pl.scan_ipc(self.file).slice(start, end - start).collect()


def _draw_city(options: Options, city: int, folder: Path) -> _City:
    simulation = simulate(options, city)
    file = folder / f"{city}.arrow"
    _transactions(simulation, options, city).write_ipc(file, compression="lz4")
    return _City(file, np.searchsorted(simulation.payments.day, np.arange(options.days + 1)))


def _transactions(simulation: Simulation, options: Options, city: int) -> pl.DataFrame:
    payments, frauds = simulation.payments, simulation.frauds
    start = datetime.combine(options.start, datetime.min.time())
    return pl.DataFrame(
        {
            "TX_DATETIME": pl.Series(payments.seconds * 1_000_000).cast(pl.Duration("us")) + start,
            "CUSTOMER_ID": payments.customer + city * options.customers,
            "TERMINAL_ID": payments.terminal + city * options.terminals,
            "TX_AMOUNT": frauds.cents / 100,
            "TX_TIME_SECONDS": payments.seconds,
            "TX_TIME_DAYS": payments.day,
            "TX_FRAUD": (frauds.scenario > 0).astype(np.int64),
            "TX_FRAUD_SCENARIO": frauds.scenario,
        }
    )


def simulate(options: Options, city: int = 0) -> Simulation:
    """One draw of a city; each part of the model has its own stream of the seed."""
    entropy = [options.seed, city] if city else options.seed
    streams = np.random.SeedSequence(entropy).spawn(3)
    people, spending, cheating = (np.random.default_rng(stream) for stream in streams)
    sizes = {"customers": options.customers, "terminals": options.terminals}
    population = draw_population(people, **sizes)
    reach = find_reach(population, options.radius)
    payments = draw_payments(spending, population, reach, days=options.days)
    frauds = commit_frauds(cheating, payments, days=options.days, **sizes)
    return Simulation(population, reach, payments, frauds)
