"""How a model is judged over time: fitted on some days, and asked about later ones.

The handbook's protocol (Fraud Detection Handbook, chapters 3 and 5): seven days to train, seven
in which verdicts come in, seven to test. Parameters are chosen on the fold that lies 14 days
earlier, whose test days are this fold's training days.
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
    """Lengths in whole days. `suspect` is a column; see `UseCase`."""

    train_days: int = 7
    delay_days: int = 7
    test_days: int = 7
    suspect: str | None = None

    def fold(self, rows: pl.DataFrame, start: datetime) -> Fold:
        """The fold whose training begins at `start`, a midnight.

        Fitted on are the rows of the training days whose label was known when the test
        begins. Of a test day the rows are left out whose `suspect` was known at its
        midnight to be compromised since `start`.
        """
        fit_end = start + self.train_days * _DAY
        test_start = fit_end + self.delay_days * _DAY
        fit = rows.filter(_between(start, fit_end), pl.col(LABEL_KNOWN_AT) < test_start)
        test = rows.filter(_between(test_start, test_start + self.test_days * _DAY))
        if self.suspect is not None:
            test = _unsuspected(test, rows.filter(pl.col(EVENT_TIMESTAMP) >= start), self.suspect)
        return Fold(fit, test)

    def validation_start(self, start: datetime) -> datetime:
        """Where the fold begins on which parameters for the fold of `start` are chosen.

        Its labels are all known when that fold's test begins.
        """
        return start - (self.train_days + self.delay_days) * _DAY

    def end(self, start: datetime) -> datetime:
        """The first instant after the test of the fold that begins at `start`."""
        return start + (self.train_days + self.delay_days + self.test_days) * _DAY


HANDBOOK = Protocol(suspect="customer_id")


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
