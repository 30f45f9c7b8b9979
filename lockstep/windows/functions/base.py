"""What a statistic of a window is given, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
ValueType = Literal["int64", "float64"]


class WindowSums(Protocol):
    """The exact sums over one window of every version, each int64 of one length."""

    def count(self) -> Ints:
        """How many rows the window holds."""

    def total(self) -> Ints:
        """The sum of the column."""

    def squares(self) -> pl.Series:
        """The sum of the column's squares, Int128."""


@dataclass(frozen=True)
class HeldRows:
    """The rows that one window of each of some versions holds.

    Version i holds the rows `low[i] .. high[i] - 1`. Neither bound ever falls from one
    version to the next. `group` rises with the row, and a version holds rows of one group
    only, in time order. `event` is in microseconds; `values` is the column, zeros for a
    statistic without one. `bars` is how many rows the window has when none is missing, 0
    where rows are no bars.
    """

    group: Ints
    event: Ints
    values: Ints
    low: Ints
    high: Ints
    bars: int = 0

    @property
    def length(self) -> Ints:
        """How many rows each version holds."""
        return self.high - self.low


class WindowFunction(ABC):
    """A statistic: its value's type, what it needs, and what it does to integers."""

    value_type: ClassVar[ValueType]
    needs_column: ClassVar[bool] = True
    # Whether the column may hold text or other ids, of which only equality counts.
    takes_any_id: ClassVar[bool] = False
    # Whether it means something for bars only: rows at a regular distance.
    needs_bar: ClassVar[bool] = False


class SumFunction(WindowFunction):
    """A statistic that exact sums are enough for."""

    # The bits that its largest sum may have, given the largest value and number of rows.
    needs_squares: ClassVar[bool] = False

    @abstractmethod
    def finish(self, sums: WindowSums) -> pl.Series:
        """The value of every version."""


class RangeFunction(WindowFunction):
    """A statistic that needs the rows themselves."""

    # Whether rows that tie on both times must be ordered by the column, to be told apart.
    orders_ties: ClassVar[bool] = False

    @abstractmethod
    def over(self, held: HeldRows) -> pl.Series:
        """The value of every version."""


def nullable(
    values: npt.NDArray[np.int64] | npt.NDArray[np.float64] | pl.Series,
    present: npt.NDArray[np.bool_],
) -> pl.Series:
    """`values` with nulls where `present` is false."""
    return pl.select(pl.when(pl.Series(present)).then(pl.Series(values))).to_series()
