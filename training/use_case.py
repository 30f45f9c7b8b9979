"""What a use case tells the generic training code; one module a use case declares one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import polars as pl

from lockstep.lake.lake import Lake
from lockstep.use_cases import load_use_case as find_use_case
from training.daily_share import DailyShare
from training.split_rules import SplitRules

if TYPE_CHECKING:
    from training.fit import FitParameters
    from training.scored_rows import ScoredRows
    from training.tasks.task import Task

LABEL = "label"
LABEL_KNOWN_AT = "label_known_at"


class EntityRows(Protocol):
    """Finds labelled rows; see `UseCase`."""

    def __call__(
        self, lake: Lake, as_of: datetime, since: datetime | None = None
    ) -> pl.DataFrame: ...


def _no_shares(scored: ScoredRows) -> Mapping[str, DailyShare]:
    return {}


@dataclass(frozen=True)
class UseCase:
    """How the labelled rows of one use case are found, and what is asked about them.

    `entity_rows(lake, as_of, since)` returns what was known at `as_of` of the rows from
    `since` on (None: all), ordered by `event_timestamp`: the row id, the join keys, the
    request columns, `event_timestamp` (T), `label` and `label_known_at`. What a label is says
    the `task`.

    `split` and `parameters` (None: the defaults) hold unless a caller says otherwise.
    `daily_shares` returns further metrics of scored rows, by day in the order of the days;
    `block_days` are how many neighbouring days are alike, as intervals see it. `slices` are
    parts of the rows that are judged by themselves, where the rows have the columns. `floors`
    are metrics and what their interval on the test rows must lie above: a model that does not
    reach them is registered, but not served, and `verdict` says in words what it is then.

    `suspect` is the join key of what a positive label compromises as a whole, such as a card:
    a backtest leaves out the rows of one that was known to be compromised, since it would
    have been blocked.
    """

    name: str
    feature_service: str
    row_id: str
    labels_table: str
    entity_rows: EntityRows
    task: Task
    split: SplitRules = SplitRules()
    parameters: FitParameters | None = None
    daily_shares: Callable[[ScoredRows], Mapping[str, DailyShare]] = _no_shares
    block_days: int = 1
    slices: Mapping[str, pl.Expr] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    verdict: str = "not good enough"
    suspect: str | None = None

    @property
    def block(self) -> str:
        """What a bootstrap draws, in words."""
        return "day" if self.block_days == 1 else f"{self.block_days} days"


def load_use_case(name: str, *, feature_service: str | None = None) -> UseCase:
    """The `USE_CASE` of the module `training.<name>`, with another service if one is named.

    Raises:
        UseCaseError: there is none of that name.
    """
    use_case: UseCase = find_use_case("training", name, entry="USE_CASE").USE_CASE
    return replace(use_case, feature_service=feature_service or use_case.feature_service)
