"""How a model is judged over time: fitted on some days, and asked about later ones.

The handbook's protocol (Fraud Detection Handbook, chapters 3 and 5): seven days to train, seven
in which verdicts come in, seven to test. Parameters are chosen on folds that lie 14 days and more
earlier; the test days of the last of them are this fold's training days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.use_case import LABEL, LABEL_KNOWN_AT

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Fold:
    """Rows to fit on and later rows to judge by; both in time order."""

    fit: pl.DataFrame
    test: pl.DataFrame


@dataclass(frozen=True)
class Protocol:
    """Lengths in whole days. `suspect` is a column; see `UseCase`.

    `validation_folds` is on how many earlier folds parameters are chosen.
    """

    train_days: int = 7
    delay_days: int = 7
    test_days: int = 7
    suspect: str | None = None
    validation_folds: int = 1

    def fold(self, rows: pl.DataFrame, start: datetime) -> Fold:
        """The fold whose training begins at `start`, a midnight.

        Fitted on are the rows of the training days whose label was known when the test
        begins. Of a test day the rows are left out whose `suspect` was known at its
        midnight to be compromised since `start`.
        """
        fit_end, test_start = start + self.train_days * _DAY, self.test_start(start)
        fit = rows.filter(_between(start, fit_end), pl.col(LABEL_KNOWN_AT) < test_start)
        test = rows.filter(_between(test_start, test_start + self.test_days * _DAY))
        if self.suspect is not None:
            test = _unsuspected(test, rows.filter(pl.col(EVENT_TIMESTAMP) >= start), self.suspect)
        return Fold(fit, test)

    def validation_starts(self, start: datetime) -> list[datetime]:
        """Where the folds begin on which parameters for the fold of `start` are chosen.

        The latest comes first; each of the others begins the days of one test earlier. All
        their labels are known when the test of the fold of `start` begins.
        """
        latest = start - (self.train_days + self.delay_days) * _DAY
        return [latest - n * self.test_days * _DAY for n in range(self.validation_folds)]

    def test_start(self, start: datetime) -> datetime:
        """Where the test of the fold of `start` begins."""
        return start + (self.train_days + self.delay_days) * _DAY

    def end(self, start: datetime) -> datetime:
        """The first instant after the test of the fold that begins at `start`."""
        return self.test_start(start) + self.test_days * _DAY


HANDBOOK = Protocol(suspect="customer_id", validation_folds=4)


def _between(start: datetime, end: datetime) -> pl.Expr:
    return pl.col(EVENT_TIMESTAMP).is_between(start, end, closed="left")


def _unsuspected(test: pl.DataFrame, rows: pl.DataFrame, suspect: str) -> pl.DataFrame:
    known = (
        rows.filter(pl.col(LABEL) == 1)
        .group_by(suspect)
        .agg(pl.col(LABEL_KNOWN_AT).min().alias("__known"))
    )
    joined = test.join(known, on=suspect, how="left", maintain_order="left")
    midnight = pl.col(EVENT_TIMESTAMP).dt.truncate("1d")
    clear = (pl.col("__known") >= midnight) | pl.col("__known").is_null()
    return joined.filter(clear).drop("__known")
