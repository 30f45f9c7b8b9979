"""Who pays where: customers and terminals on a plane, and which terminals each one reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PLANE_SIDE = 100.0
MEAN_AMOUNT_RANGE = (5.0, 100.0)
PAYMENTS_PER_DAY_RANGE = (0.0, 4.0)

_CUSTOMERS_AT_ONCE = 256


@dataclass(frozen=True)
class Population:
    """Positions of everybody, and each customer's habits; the index is the id."""

    customer_xy: NDArray[np.float64]
    terminal_xy: NDArray[np.float64]
    mean_amount: NDArray[np.float64]
    payments_per_day: NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """The terminals of customer c are `terminals[offsets[c]:offsets[c + 1]]`, ascending."""

    offsets: NDArray[np.int64]
    terminals: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many terminals each customer reaches."""
        return np.diff(self.offsets)


def draw_population(rng: np.random.Generator, *, customers: int, terminals: int) -> Population:
    """Everybody uniform on the plane, habits uniform in their ranges."""
    return Population(
        customer_xy=rng.uniform(0, PLANE_SIDE, (customers, 2)),
        terminal_xy=rng.uniform(0, PLANE_SIDE, (terminals, 2)),
        mean_amount=rng.uniform(*MEAN_AMOUNT_RANGE, customers),
        payments_per_day=rng.uniform(*PAYMENTS_PER_DAY_RANGE, customers),
    )


def find_reach(population: Population, radius: float) -> Reach:
    """The terminals nearer than `radius` to each customer."""
    counts, terminals = [], []
    for start in range(0, len(population.customer_xy), _CUSTOMERS_AT_ONCE):
        block = population.customer_xy[start : start + _CUSTOMERS_AT_ONCE]
        near = _squared_distances(block, population.terminal_xy) < radius**2
        counts.append(near.sum(axis=1))
        terminals.append(np.nonzero(near)[1])
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    return Reach(offsets.astype(np.int64), np.concatenate(terminals).astype(np.int64))


def _squared_distances(
    left: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One row for each point of `left`, one column for each of `right`."""
    dx = left[:, :1] - right[:, 0]
    dy = left[:, 1:] - right[:, 1]
    return np.asarray(dx * dx + dy * dy)
