"""Rows that a model answered to, and what its answers are worth, by metric, day and slice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import polars as pl

from lockstep.contract.targets import Ints, Target
from training.bootstrap import REPLICATES, Days, Interval, by_day
from training.daily_share import DailyShare
from training.operating_points import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.use_case import UseCase


class Slice(Protocol):
    """A part of the rows: a dataclass, whose fields are shown."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...

    @property
    def rows(self) -> int: ...

    @property
    def support(self) -> int:
        """How many rows its worth rests on."""

    @property
    def worth(self) -> float:
        """What a challenger may not lose; more is better, NaN for no rows."""


@dataclass(frozen=True)
class ScoredRows(ABC):
    """Rows with labels, (rows, width) outputs and (rows,) decisions, as the target numbers them."""

    rows: pl.DataFrame
    outputs: Floats
    decided: Ints
    target: Target
    use_case: UseCase

    @cached_property
    def labels(self) -> Any:
        """(rows,) as numbers."""
        return self.use_case.task.labels(self.rows)

    @cached_property
    def scores(self) -> Floats:
        """(rows,) the one number that stands for a row's outputs."""
        return self.target.scores(self.outputs)

    @cached_property
    def days(self) -> Days:
        """The days of the rows' T, or the longer blocks that the use case declares."""
        return Days.of(self.rows, length=self.use_case.block_days)

    @cached_property
    def shares(self) -> Mapping[str, DailyShare]:
        """The metrics that only this use case has."""
        return self.use_case.daily_shares(self)

    @abstractmethod
    def own_metrics(self, weights: Floats) -> dict[str, float]:
        """The metrics of the kind of task where each row counts so many times."""

    @abstractmethod
    def slices(self) -> Sequence[Slice]:
        """What is known of each slice of the use case whose columns these rows have."""

    @abstractmethod
    def facts(self) -> Iterable[tuple[str, str]]:
        """What a model card says of the target and of what decisions cost."""

    @abstractmethod
    def figures(self) -> dict[str, Figure]:
        """Plots by name."""

    def metrics(self, of_days: Floats) -> dict[str, float]:
        """The metrics where each day counts so many times; NaN for one that says nothing."""
        own = self.own_metrics(self.days.weights(of_days))
        return own | {name: share.of_days(of_days) for name, share in self.shares.items()}

    def intervals(self, *, seed: int = 0, replicates: int = REPLICATES) -> dict[str, Interval]:
        """The metrics with their intervals, by a bootstrap of whole days."""
        return by_day(self.metrics, self.days.count, seed=seed, replicates=replicates)

    def parts(self) -> Iterable[tuple[str, Any]]:
        """By slice of the use case the (rows,) mask of its rows."""
        for name, at in self.use_case.slices.items():
            if set(at.meta.root_names()) <= set(self.rows.columns):
                yield name, self.rows.select(at.fill_null(value=False)).to_series().to_numpy()
