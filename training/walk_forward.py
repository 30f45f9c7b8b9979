"""A model fitted again and again on all that was known before each test, one test after another.

Each fold is cut as a training is, purged and with an embargo; what all models said of their
tests is judged together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockstep.contract.predictor import Predictor
from lockstep.settings import Settings
from lockstep.windows.spec import EVENT_TIMESTAMP
from training.dataset import Dataset, join_features
from training.errors import TrainingError
from training.fit import FitParameters
from training.leak import assert_no_leak
from training.run import labelled_rows, scored_by
from training.scored_rows import ScoredRows
from training.search import Search
from training.selection import fit_selected
from training.split import Split, plan_split
from training.split_rules import SplitRules
from training.use_case import UseCase
from training.validation import Validation

if TYPE_CHECKING:
    from feast import FeatureStore

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class WalkOptions:
    """`folds` tests of `split.test_days` each, the last of which ends with the rows.

    With `search` each fold looks for parameters on its own validation rows, with
    `select_above` for features too, see `training.selection`. `shuffled` mixes the labels of
    what is fitted on and validated by: a control that must find nothing.
    """

    folds: int
    split: SplitRules
    parameters: FitParameters
    search: Search | None = None
    select_above: float | None = None
    shuffled: bool = False


@dataclass(frozen=True)
class WalkedFold:
    """One fold: the model, which features it kept, and its test."""

    predictor: Predictor
    split: Split
    scored: ScoredRows


@dataclass(frozen=True)
class WalkForward:
    """Labelled rows with their features, by T."""

    use_case: UseCase
    dataset: Dataset
    as_of: datetime

    @classmethod
    def of(
        cls, settings: Settings, store: FeatureStore, use_case: UseCase, as_of: datetime | None
    ) -> WalkForward:
        """All labelled rows known at `as_of`, joined with their features once.

        Raises:
            LockstepError: data or definitions do not allow it.
        """
        known_by, rows = labelled_rows(settings, use_case, as_of)
        dataset = join_features(
            store, rows, feature_service=use_case.feature_service, row_id=use_case.row_id
        )
        return cls(use_case, dataset, known_by)

    def splits(self, options: WalkOptions) -> list[Split]:
        """The folds in the order of time.

        Raises:
            TrainingError: there are too few rows, or a fold lacks a class.
        """
        times = self.dataset.rows.select(
            pl.col(EVENT_TIMESTAMP).min().alias("first"),
            pl.col(EVENT_TIMESTAMP).max().dt.truncate("1d").alias("last"),
        )
        (first, last) = times.row(0)
        end: datetime = last + _DAY
        length = options.split.test_days * _DAY
        ends = [end - back * length for back in reversed(range(options.folds))]
        if ends[0] - length <= first:
            raise TrainingError.outside("--folds", ends[0] - length, end, first, end)
        return [self._split(until, options) for until in ends]

    def run(
        self, options: WalkOptions, on_fold: Callable[[WalkedFold], None]
    ) -> tuple[ScoredRows, list[WalkedFold]]:
        """The rows of all tests, as their models scored them, and the folds.

        Raises:
            LeakError: a fit would know what its test asks.
            TrainingError: there are too few rows, or a fold lacks a class.
        """
        folds = []
        for split in self.splits(options):
            assert_no_leak(split, row_id=self.use_case.row_id, as_of=self.as_of)
            fold = self._walked(self._shuffled(split, options), options)
            on_fold(fold)
            folds.append(fold)
        return joined([fold.scored for fold in folds]), folds

    def _split(self, until: datetime, options: WalkOptions) -> Split:
        rows = self.dataset.rows.filter(pl.col(EVENT_TIMESTAMP) < until)
        return plan_split(rows, self.use_case.task, options.split).split(rows)

    def _walked(self, split: Split, options: WalkOptions) -> WalkedFold:
        parameters = options.parameters
        if options.search is not None:
            task, names = self.use_case.task, self.dataset.feature_order
            validation = Validation.of_split(task, split, names)
            parameters = validation.searched(options.search, parameters)
        predictor, _ = fit_selected(
            split,
            self.dataset,
            use_case=self.use_case,
            as_of=self.as_of,
            parameters=parameters,
            above=options.select_above,
            seed=options.parameters.seed,
            on_tree=lambda done, best: True,
        )
        return WalkedFold(predictor, split, scored_by(predictor, split.test, self.use_case))

    def _shuffled(self, split: Split, options: WalkOptions) -> Split:
        """Where it is asked for, each row with what is known afterwards of another one."""
        if not options.shuffled:
            return split
        told, seed = self.use_case.task.told_afterwards, options.parameters.seed
        folds = {
            name: rows.with_columns(rows.select(told).sample(fraction=1, shuffle=True, seed=seed))
            for name, rows in vars(split).items()
            if name != "test"
        }
        return replace(split, **folds)


def joined(parts: Sequence[ScoredRows]) -> ScoredRows:
    """The rows of all parts, each as its own model decided."""
    return replace(
        parts[-1],
        rows=pl.concat([part.rows for part in parts]),
        outputs=np.concatenate([part.outputs for part in parts]),
        decided=np.concatenate([part.decided for part in parts]),
    )
