"""How sure a metric is: days are drawn again and again, whole, with replacement.

Rows of one day are alike (the same cards, the same compromised terminals), so that drawing
single rows would make every interval too narrow. Source: Politis and Romano's and Künsch's
block bootstrap, with a day as the block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.operating_points import Floats

REPLICATES = 500
LEVEL = 0.95

# Metrics by name, of days of which each counts so many times: (days,) weights.
OfDays = Callable[[Floats], Mapping[str, float]]


@dataclass(frozen=True)
class Interval:
    """A metric and the central `LEVEL` of its bootstrap; NaN where too few draws have it."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """The three numbers."""
        return asdict(self)


@dataclass(frozen=True)
class Days:
    """The UTC days of some rows: `of_row` numbers each row's day from 0 to `count` - 1.

    Where neighbouring days are alike too, they are blocks of several days.
    """

    of_row: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, rows: pl.DataFrame, *, length: int = 1) -> Days:
        """The days of the rows' T, `length` of them a block."""
        days = rows.get_column(EVENT_TIMESTAMP).dt.date().to_physical().to_numpy() // length
        found, of_row = np.unique(days, return_inverse=True)
        return cls(of_row.astype(np.int64), len(found))

    def sums(self, of_rows: Floats) -> Floats:
        """(days,) the sum of a number of each row."""
        sums = np.bincount(self.of_row, weights=of_rows, minlength=self.count)
        return np.asarray(sums, dtype=np.float64)

    def weights(self, of_days: Floats) -> Floats:
        """(rows,) how often each row counts when its day does so many times."""
        return np.asarray(of_days[self.of_row], dtype=np.float64)


def by_day(
    metrics: OfDays, days: int, *, seed: int = 0, replicates: int = REPLICATES
) -> dict[str, Interval]:
    """Each metric of all `days` (1 or more), and its interval over `replicates` draws.

    A draw that leaves a metric without meaning (no positive in it) gives NaN and is left
    out; where that is more than a tenth of the draws the interval is NaN, as it is where one
    day leaves nothing to draw. The same seed gives the same intervals, and the same draws to
    metrics that are to be compared.
    """
    values = metrics(np.ones(days))
    drawn = draws(days, seed=seed, replicates=replicates)
    found = [metrics(weights) for weights in drawn] if days > 1 else []
    return {
        name: Interval(value, *_ends(np.array([draw[name] for draw in found])))
        for name, value in values.items()
    }


def draws(days: int, *, seed: int, replicates: int) -> NDArray[np.float64]:
    """(replicates, days): how often each day was drawn; each row sums to `days`."""
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(days, np.full(days, 1 / days), size=replicates)
    return counts.astype(np.float64)


def _ends(values: Floats) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known) or len(known) < 0.9 * len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
