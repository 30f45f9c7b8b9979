"""Train, validation and test rows, cut by time and by when their labels became known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.errors import TrainingError
from training.split_rules import SplitRules
from training.tasks.task import Task
from training.use_case import LABEL_KNOWN_AT

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Split:
    """Three folds in time order; `train` and `validation` make the fit, `test` judges it.

    `known` is all that was known before the test: `train`, `validation`, and what was kept out
    of `train` for the sake of validation.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame
    known: pl.DataFrame

    def rows(self) -> pl.DataFrame:
        """Each row that features are joined onto, once: what was known, then the test.

        Without a refit no fold needs what was kept out of `train`; it is among them all the same.
        """
        return pl.concat([self.known, self.test])

    def folds(self) -> dict[str, pl.DataFrame]:
        """The folds by name, in time order."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def describe(self, task: Task) -> dict[str, dict[str, Any]]:
        """For each fold its rows, its labels, its range of T and its last label's instant."""
        return {
            name: {
                "rows": rows.height,
                **task.describe(rows),
                "from": _iso(rows[EVENT_TIMESTAMP].min()),
                "to": _iso(rows[EVENT_TIMESTAMP].max()),
                "labels_known_by": _iso(rows[LABEL_KNOWN_AT].max()),
            }
            for name, rows in self.folds().items()
        }


@dataclass(frozen=True)
class SplitPlan:
    """The instants at which the rows are cut; each fold is half open.

    Labels were known at least `embargo` before the fold that they must be known for.
    `purged`: the training labels were known before validation starts. It is False where
    the history is too short for that; the labels of both are known before the test starts
    in any case.
    """

    task: Task
    train_start: datetime
    validation_start: datetime
    test_start: datetime
    test_end: datetime
    purged: bool
    embargo: timedelta = timedelta(0)
    group: str | None = None

    def split(self, rows: pl.DataFrame) -> Split:
        """The folds of `rows`, in their order; rows in the gaps between folds are left out.

        So are those of an earlier fold whose group stands in a later one.

        Raises:
            TrainingError: a fold is empty, or its labels do not do for the task.
        """
        test = rows.filter(_within(self.test_start, self.test_end))
        known = self._apart(
            rows.filter(
                _within(self.train_start, self.test_start),
                pl.col(LABEL_KNOWN_AT) < self.test_start - self.embargo,
            ),
            test,
        )
        validation = known.filter(pl.col(EVENT_TIMESTAMP) >= self.validation_start)
        train = self._apart(self.train_of(known), validation)
        folds = {"train": train, "validation": validation, "test": test}
        for name, fold in folds.items():
            if fold.is_empty():
                raise TrainingError.empty_fold(
                    name, "the days asked for have none", "use more days, or ingest more"
                )
            self.task.check_fold(name, fold)
        return Split(**folds, known=known)

    def _apart(self, rows: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
        """The rows whose group is in none of the later ones."""
        if self.group is None:
            return rows
        return rows.join(later, on=self.group, how="anti", maintain_order="left")

    def train_of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those of `rows` that are trained on."""
        known_by = self.validation_start if self.purged else self.test_start
        return rows.filter(
            _within(self.train_start, self.validation_start),
            pl.col(LABEL_KNOWN_AT) < known_by - self.embargo,
        )


def plan_split(rows: pl.DataFrame, task: Task, rules: SplitRules) -> SplitPlan:
    """Where to cut labelled `rows`: whole UTC days, the last `test_days` for the test.

    Train and validation rows are those whose label was known before the test starts, in
    the last `train_days` that have such rows. Validation is the last of these days.

    Raises:
        TrainingError: a number of days that is too small; or no label known before the test
            starts.
    """
    _check_days("--test-days", rules.test_days)
    _check_days("--embargo-days", rules.embargo_days, least=0)
    embargo = rules.embargo_days * _DAY
    test_end = _day_end(rows)
    test_start = test_end - rules.test_days * _DAY
    fit = rows.filter(
        pl.col(LABEL_KNOWN_AT) < test_start - embargo, pl.col(EVENT_TIMESTAMP) < test_start
    )
    if fit.is_empty():
        less = f", less {rules.embargo_days} days of embargo" if embargo else ""
        raise TrainingError.empty_fold(
            "training",
            f"no label was known before the test starts at {test_start.isoformat()}{less}; "
            f"the labelled rows start at {_day_start(rows).isoformat()}",
            "use fewer --test-days or --embargo-days, or ingest more days",
        )
    fit_end = _day_end(fit)
    train_start = _day_start(fit)
    if rules.train_days is not None:
        _check_days("--train-days", rules.train_days)
        train_start = max(train_start, fit_end - rules.train_days * _DAY)
    length = min(rules.validation_days * _DAY, (fit_end - train_start) / 4)
    plan = SplitPlan(
        task,
        train_start,
        fit_end - length,
        test_start,
        test_end,
        purged=True,
        embargo=embargo,
        group=rules.group,
    )
    return plan if _leaves_enough(plan, fit) else replace(plan, purged=False)


def _leaves_enough(plan: SplitPlan, fit: pl.DataFrame) -> bool:
    """Whether the purge leaves labels that do, and as long a time as validation's."""
    left = plan.train_of(fit)
    try:
        plan.task.check_fold("train", left)
    except TrainingError:
        return False
    return _day_end(left) - plan.train_start >= _day_end(fit) - plan.validation_start


def _check_days(option: str, days: int, *, least: int = 1) -> None:
    if days < least:
        raise TrainingError.bad_option(option, days, f"a whole number of days from {least} on")


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
