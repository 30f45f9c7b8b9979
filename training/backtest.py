"""A model fitted again and again on later days, each time judged on days after those.

Parameters, number of trees and target of a fold are chosen on folds before it, whose labels
are all known when this one's test begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.predictor import Predictor
from lockstep.contract.targets import Target
from lockstep.settings import Settings
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.bootstrap import Interval
from training.dataset import join_features
from training.errors import TrainingError
from training.fit import FitParameters, pool, refitted
from training.leak import assert_fit_is_earlier
from training.protocol import HANDBOOK, Fold, Protocol
from training.run import labelled_rows, scored_by
from training.scored_rows import ScoredRows
from training.search import Search
from training.use_case import LABEL_KNOWN_AT, UseCase
from training.validation import Validation

if TYPE_CHECKING:
    from feast import FeatureStore

_DAY = timedelta(days=1)

# What parameters to fit a fold with, chosen on the folds before it.
Chosen = Callable[[Validation], FitParameters]


@dataclass(frozen=True)
class FoldResult:
    """One start date: what was chosen before it, and how good the model was after it."""

    start: datetime
    seed: int
    rows: int
    labels: Mapping[str, int | float]
    trees: int
    metrics: Mapping[str, Interval]

    @classmethod
    def of(cls, scored: ScoredRows, *, start: datetime, seed: int, trees: int) -> FoldResult:
        """Of the rows of a test with their scores."""
        labels = scored.use_case.task.describe(scored.rows)
        return cls(start, seed, scored.rows.height, labels, trees, scored.intervals())


@dataclass(frozen=True)
class Backtest:
    """Rows with their features, and the protocol by which folds are cut from them."""

    use_case: UseCase
    rows: pl.DataFrame
    feature_order: tuple[str, ...]
    protocol: Protocol

    def searched(self, parameters: FitParameters, search: Search) -> Chosen:
        """Parameters by a search on the folds before; `parameters` where it has no trials."""

        def chosen(before: Validation) -> FitParameters:
            return before.searched(search, parameters) if search.trials else parameters

        return chosen

    def run(
        self,
        starts: Sequence[datetime],
        seeds: Sequence[int],
        chosen: Chosen,
        on_fold: Callable[[FoldResult], None],
    ) -> list[FoldResult]:
        """The result of each start date and seed.

        Raises:
            LeakError: a fit would know what its test asks.
            TrainingError: a fold is empty, or its labels do not do for the task.
        """
        task, results = self.use_case.task, []
        for start in starts:
            fold, earlier = self.protocol.fold(self.rows, start), self.earlier(start)
            for one in (*earlier, fold):
                assert_fit_is_earlier(one.fit, one.test, row_id=self.use_case.row_id)
            validation = self.validation(earlier)
            parameters = chosen(validation)
            asked = pl.concat([one.test for one in earlier])
            for seed in seeds:
                judged = validation.judged(parameters.seeded(seed), lambda *_: True)
                target = task.target(asked, np.concatenate(judged.outputs))
                fitting = pool(fold.fit, self.feature_order, task)
                model = refitted(task, fitting, parameters.seeded(seed), trees=judged.trees)
                scored = self._scored(fold, model, target, start)
                result = FoldResult.of(scored, start=start, seed=seed, trees=judged.trees)
                on_fold(result)
                results.append(result)
        return results

    def earlier(self, start: datetime) -> list[Fold]:
        """The folds on which is chosen what the fold of `start` is fitted with.

        They are judged by rows whose label was known when the test of that fold begins.
        """
        known = pl.col(LABEL_KNOWN_AT) < self.protocol.test_start(start)
        folds = (self.protocol.fold(self.rows, s) for s in self.protocol.validation_starts(start))
        return [Fold(fold.fit, fold.test.filter(known)) for fold in folds]

    def validation(self, folds: Sequence[Fold]) -> Validation:
        """The folds as matrices."""
        pairs = [(one.fit, one.test) for one in folds]
        return Validation.of(self.use_case.task, pairs, self.feature_order)

    def _scored(self, fold: Fold, model: Any, target: Target, start: datetime) -> ScoredRows:
        artefact = ModelArtefact(
            use_case=self.use_case.name,
            feature_service=self.use_case.feature_service,
            feature_order=self.feature_order,
            target=target,
            trained_as_of=start,
        )
        return scored_by(Predictor(artefact, model), fold.test, self.use_case)


def backtest_of(
    settings: Settings,
    store: FeatureStore,
    use_case: UseCase,
    starts: Sequence[datetime],
    as_of: datetime | None,
    *,
    validation_folds: int,
) -> Backtest:
    """The handbook's backtest on the labelled rows of all folds, joined once.

    Raises:
        TrainingError: a fold lies before the first or after the last labelled row.
        LockstepError: data or definitions do not allow it.
    """
    protocol = replace(HANDBOOK, suspect=use_case.suspect, validation_folds=validation_folds)
    first = protocol.validation_starts(min(starts))[-1]
    _, rows = labelled_rows(settings, use_case, as_of, first)
    last = protocol.end(max(starts))
    times = rows.get_column(EVENT_TIMESTAMP)
    if times.min() > first + _DAY or times.max() < last - _DAY:  # type: ignore[operator]  # instants
        raise TrainingError.outside("--start", first, last, times.min(), times.max())
    used = rows.filter(pl.col(EVENT_TIMESTAMP).is_between(first, last, closed="left"))
    dataset = join_features(
        store, used, feature_service=use_case.feature_service, row_id=use_case.row_id
    )
    return Backtest(use_case, dataset.rows, dataset.feature_order, protocol)
