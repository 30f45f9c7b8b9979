"""A model fitted again and again on later days, each time judged on days after those.

Parameters, number of trees and threshold of a fold are chosen on the fold before it, whose
labels are all known when this one's test begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from lockstep.contract.model_artefact import ModelArtefact
from lockstep.contract.predictor import Predictor
from lockstep.settings import Settings
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.bootstrap import Interval
from training.dataset import join_features
from training.errors import TrainingError
from training.evaluate import ScoredRows
from training.fit import FitParameters, boosted, cheapest_threshold, pool, refitted
from training.leak import assert_fit_is_earlier
from training.protocol import HANDBOOK, Fold, Protocol
from training.run import labelled_rows, scored_by
from training.search import Search, with_values
from training.search_fold import SearchFold
from training.trial_log import TrialLog
from training.use_case import UseCase

if TYPE_CHECKING:
    from feast import FeatureStore

_DAY = timedelta(days=1)

# What parameters to fit a fold with, chosen on the fold before it.
Chosen = Callable[[Fold], FitParameters]


@dataclass(frozen=True)
class FoldResult:
    """One start date: what was chosen before it, and how good the model was after it."""

    start: datetime
    seed: int
    rows: int
    positives: int
    trees: int
    threshold: float
    metrics: Mapping[str, Interval]


@dataclass(frozen=True)
class Backtest:
    """Rows with their features, and the protocol by which folds are cut from them."""

    use_case: UseCase
    rows: pl.DataFrame
    feature_order: tuple[str, ...]
    protocol: Protocol

    def searched(self, parameters: FitParameters, search: Search) -> Chosen:
        """Parameters by a search on the fold before; `parameters` where it has no trials."""

        def chosen(before: Fold) -> FitParameters:
            if not search.trials:
                return parameters
            fold = SearchFold.of(before.fit, before.test, self.feature_order, parameters)
            best = search.run(fold.evaluate, TrialLog.in_memory(), lambda *_: None)
            return with_values(parameters, best.values)

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
            TrainingError: a fold is empty or has one class only.
        """
        results = []
        for start in starts:
            before = self.protocol.fold(self.rows, self.protocol.validation_start(start))
            fold = self.protocol.fold(self.rows, start)
            for one in (before, fold):
                assert_fit_is_earlier(one.fit, one.test, row_id=self.use_case.row_id)
            parameters = chosen(before)
            for seed in seeds:
                result = self._judged(start, seed, before, fold, parameters)
                on_fold(result)
                results.append(result)
        return results

    def _judged(
        self, start: datetime, seed: int, before: Fold, fold: Fold, parameters: FitParameters
    ) -> FoldResult:
        seeded = parameters.seeded(seed)
        judge = pool(before.test, self.feature_order)
        early = boosted(pool(before.fit, self.feature_order), judge, seeded, lambda *_: True)
        scores = early.predict_proba(judge)[:, 1]
        threshold = cheapest_threshold(before.test, scores, self.use_case)
        trees = int(early.tree_count_)
        model = refitted(pool(fold.fit, self.feature_order), seeded, trees=trees)
        artefact = ModelArtefact(
            self.use_case.name, self.use_case.feature_service, self.feature_order, threshold, start
        )
        scored: ScoredRows = scored_by(Predictor(artefact, model), fold.test, self.use_case)
        labels = scored.labels
        return FoldResult(
            start, seed, len(labels), int(labels.sum()), trees, threshold, scored.intervals()
        )


def backtest_of(
    settings: Settings,
    store: FeatureStore,
    use_case: UseCase,
    starts: Sequence[datetime],
    as_of: datetime | None,
) -> Backtest:
    """The handbook's backtest on the labelled rows of all folds, joined once.

    Raises:
        TrainingError: a fold lies before the first or after the last labelled row.
        LockstepError: data or definitions do not allow it.
    """
    protocol = replace(HANDBOOK, suspect=use_case.suspect)
    first = protocol.validation_start(min(starts))
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
