"""Train, validation and test rows, cut by time and by when their labels became known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.errors import TrainingError
from training.use_case import LABEL, LABEL_KNOWN_AT

_DAY = timedelta(days=1)
_VALIDATION_DAYS = timedelta(days=7)


@dataclass(frozen=True)
class Split:
    """Three folds in time order; `train` and `validation` make the fit, `test` judges it."""

    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame

    def rows(self) -> pl.DataFrame:
        """The rows of all folds, one fold after the other."""
        return pl.concat([self.train, self.validation, self.test])

    def folds(self) -> dict[str, pl.DataFrame]:
        """The folds by name, in time order."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def describe(self) -> dict[str, dict[str, Any]]:
        """For each fold its rows, its positives, its range of T and its last label's instant."""
        return {
            name: {
                "rows": rows.height,
                "positives": int(rows[LABEL].sum()),
                "from": _iso(rows[EVENT_TIMESTAMP].min()),
                "to": _iso(rows[EVENT_TIMESTAMP].max()),
                "labels_known_by": _iso(rows[LABEL_KNOWN_AT].max()),
            }
            for name, rows in self.folds().items()
        }


@dataclass(frozen=True)
class SplitPlan:
    """The instants at which the rows are cut; each fold is half open.

    `purged`: the training labels were known before validation starts. It is False where
    the history is too short for that; the labels of both are known before the test starts
    in any case.
    """

    train_start: datetime
    validation_start: datetime
    test_start: datetime
    test_end: datetime
    purged: bool

    def split(self, rows: pl.DataFrame) -> Split:
        """The folds of `rows`, in their order; rows in the gaps between folds are left out.

        Raises:
            TrainingError: a fold is empty or has one class only.
        """
        masks = {"train": self._train(), "validation": self._validation(), "test": self._test()}
        folds = {name: rows.filter(mask) for name, mask in masks.items()}
        for name, fold in folds.items():
            _check_classes(name, fold)
        return Split(**folds)

    def _train(self) -> pl.Expr:
        known_by = self.validation_start if self.purged else self.test_start
        return _within(self.train_start, self.validation_start) & (
            pl.col(LABEL_KNOWN_AT) < known_by
        )

    def _validation(self) -> pl.Expr:
        return _within(self.validation_start, self.test_start) & (
            pl.col(LABEL_KNOWN_AT) < self.test_start
        )

    def _test(self) -> pl.Expr:
        return _within(self.test_start, self.test_end)


def plan_split(
    rows: pl.DataFrame, *, test_days: int = 7, train_days: int | None = None
) -> SplitPlan:
    """Where to cut labelled `rows`: whole UTC days, the last `test_days` for the test.

    Train and validation rows are those whose label was known before the test starts, in
    the last `train_days` that have such rows (default: all). Validation is the last seven
    of these days, or their last quarter where that is less.

    Raises:
        TrainingError: a number of days below one; or no label known before the test starts.
    """
    _check_days("--test-days", test_days)
    test_end = _day_end(rows)
    test_start = test_end - test_days * _DAY
    fit = rows.filter(pl.col(LABEL_KNOWN_AT) < test_start, pl.col(EVENT_TIMESTAMP) < test_start)
    if fit.is_empty():
        raise TrainingError.empty_fold(
            "training",
            f"no label was known before the test starts at {test_start.isoformat()}; "
            f"the labelled rows start at {_day_start(rows).isoformat()}",
            "use fewer --test-days, or ingest more days",
        )
    fit_end = _day_end(fit)
    train_start = _day_start(fit)
    if train_days is not None:
        _check_days("--train-days", train_days)
        train_start = max(train_start, fit_end - train_days * _DAY)
    length = min(_VALIDATION_DAYS, (fit_end - train_start) / 4)
    return _purged_where_possible(fit, train_start, fit_end - length, test_start, test_end)


def _purged_where_possible(
    fit: pl.DataFrame,
    train_start: datetime,
    validation_start: datetime,
    test_start: datetime,
    test_end: datetime,
) -> SplitPlan:
    """The plan; purged if that leaves both classes and as long a time as validation's."""
    purged = fit.filter(
        pl.col(EVENT_TIMESTAMP) >= train_start, pl.col(LABEL_KNOWN_AT) < validation_start
    )
    enough = purged[LABEL].n_unique() > 1 and _day_end(purged) - train_start >= (
        _day_end(fit) - validation_start
    )
    return SplitPlan(train_start, validation_start, test_start, test_end, purged=enough)


def _check_classes(fold: str, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        raise TrainingError.empty_fold(
            fold, "the days asked for have none", "use more days, or ingest more"
        )
    if rows[LABEL].n_unique() < 2:
        raise TrainingError.one_class(fold, rows.height, int(rows[LABEL].sum()))


def _check_days(option: str, days: int) -> None:
    if days < 1:
        raise TrainingError.bad_option(option, days, "a whole number of days from 1 on")


def _within(start: datetime, end: datetime) -> pl.Expr:
    return pl.col(EVENT_TIMESTAMP).is_between(start, end, closed="left")


def _day_start(rows: pl.DataFrame) -> datetime:
    first: datetime = rows.select(pl.col(EVENT_TIMESTAMP).min().dt.truncate("1d")).item()
    return first


def _day_end(rows: pl.DataFrame) -> datetime:
    last: datetime = rows.select(pl.col(EVENT_TIMESTAMP).max().dt.truncate("1d")).item()
    return last + _DAY


def _iso(instant: Any) -> str:
    return str(instant.isoformat())
