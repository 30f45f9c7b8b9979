"""How a number is distributed, small enough to be kept with a model, and how far two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_PARTS, _GROUPS = 50, 10
# By chance alone the index of two samples of so many rows, over ten groups, is .036. Of fewer rows
# no edge is kept: it would be somebody's.
LEAST_ROWS = 500


@dataclass(frozen=True)
class Profile:
    """Rows of one number: how many are null, and how many of the others are in each bin.

    Bin i holds the values above `edges[i - 1]` and at most `edges[i]`; the first and the last
    are open.
    """

    nulls: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(
        cls,
        values: ArrayLike,
        edges: Sequence[float] | None = None,
        *,
        least_rows: int = LEAST_ROWS,
    ) -> Profile:
        """The profile of `values`, float64 with NaN for null.

        Over the `edges` of another profile to be compared with it, else over every fiftieth of
        the values themselves; over none where fewer than `least_rows` are not null.
        """
        numbers = np.asarray(values, np.float64)
        present = numbers[~np.isnan(numbers)]
        if edges is None:
            edges = _quantiles(present) if len(present) >= max(least_rows, 1) else ()
        chosen = np.asarray(edges, np.float64)
        bins = np.searchsorted(chosen, present, side="left")
        counts = np.bincount(bins, minlength=len(chosen) + 1)
        nulls = len(numbers) - len(present)
        return cls(nulls, tuple(chosen.tolist()), tuple(counts.tolist()))

    @property
    def rows(self) -> int:
        """How many rows, null or not."""
        return self.nulls + sum(self.counts)

    @property
    def null_share(self) -> float:
        """The share of the rows that are null; 0 without rows."""
        return self.nulls / self.rows if self.rows else 0.0


def population_stability(reference: Profile, now: Profile) -> float:
    """The population stability index, sum((q - p) ln(q / p)) over groups of the reference.

    Groups hold about a tenth of the reference's values each, one value being in one group, and
    nulls are a group of their own. An empty group counts as half a row. From N. Siddiqi, Credit
    Risk Scorecards, 2006: below .1 there is no change, from .25 on a large one. By chance alone
    two samples of n and m rows have about (groups - 1) (1 / n + 1 / m).

    Both have the same edges, and rows.
    """
    group = _grouped(reference)
    first, second = (_by_group(profile, group) for profile in (reference, now))
    told = first + second > 0
    p = np.maximum(first[told], 0.5) / reference.rows
    q = np.maximum(second[told], 0.5) / now.rows
    return float(np.sum((q - p) * np.log(q / p)))


def kolmogorov_smirnov(reference: Profile, now: Profile) -> float:
    """The largest distance of the two distribution functions, at the edges; nulls left out.

    Between two edges it may be larger by at most what lies between them: a fiftieth of the
    reference's values, where no value is more frequent than that. 0 where one has no values.
    """
    both = [np.asarray(profile.counts, np.float64) for profile in (reference, now)]
    if not all(counts.sum() for counts in both):
        return 0.0
    first, second = (np.cumsum(counts) / counts.sum() for counts in both)
    return float(np.max(np.abs(first - second)))


def _quantiles(present: Floats) -> tuple[float, ...]:
    """Values at every fiftieth, each once, and one just below the first, which may be frequent."""
    inner = np.arange(1, _PARTS) / _PARTS
    values = np.unique(np.quantile(present, inner, method="inverted_cdf"))
    return (float(np.nextafter(values[0], -np.inf)), *values.tolist())


def _grouped(reference: Profile) -> NDArray[np.int64]:
    """The group of each bin: bins one after another until they hold a tenth, or one that does."""
    tenth = sum(reference.counts) / _GROUPS
    group, held, members = 0, 0, 0
    found = []
    for count in reference.counts:
        if members and (held >= tenth or count >= tenth):
            group, held, members = group + 1, 0, 0
        found.append(group)
        held, members = held + count, members + 1
    return np.asarray(found, np.int64)


def _by_group(profile: Profile, group: NDArray[np.int64]) -> Floats:
    """The rows of each group; nulls are the last one."""
    found = np.bincount(group, weights=profile.counts)
    return np.append(found, float(profile.nulls))
