"""The check that no fit knew the future; run in every training and usable in any test."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from lockstep.windows.spec import EVENT_TIMESTAMP
from training.errors import LeakError
from training.split import Split
from training.use_case import LABEL_KNOWN_AT


def assert_no_leak(split: Split, *, row_id: str, as_of: datetime) -> None:
    """Returns when nothing in the fit knew what the test asks.

    As `assert_fit_is_earlier` for the test; and validation lies after training, and no
    label was learned after `as_of`.

    Raises:
        LeakError: one of these does not hold; the message says which and by how much.
    """
    fit = pl.concat([split.train, split.validation], how="vertical")
    for earlier in (fit, split.known):
        assert_fit_is_earlier(earlier, split.test, row_id=row_id)
    _assert_before(split.train[EVENT_TIMESTAMP], _first(split.validation), "a training row lies")
    late = pl.concat([fit[LABEL_KNOWN_AT], split.test[LABEL_KNOWN_AT]]) > as_of
    if late.any():
        raise LeakError.found(f"{late.sum():,} labels became known after {as_of.isoformat()}")


def assert_fit_is_earlier(fit: pl.DataFrame, test: pl.DataFrame, *, row_id: str) -> None:
    """Returns when every test row lies after every row and every label of the fit.

    And no row stands in both. Rows have event_timestamp, label_known_at and `row_id`.

    Raises:
        LeakError: one of these does not hold; the message says which and by how much.
    """
    test_from = _first(test)
    _assert_before(fit[LABEL_KNOWN_AT], test_from, "a label of the fit became known")
    _assert_before(fit[EVENT_TIMESTAMP], test_from, "a row of the fit lies")
    twice = pl.concat([fit[row_id], test[row_id]]).is_duplicated().sum()
    if twice:
        raise LeakError.found(f"{twice:,} rows share their {row_id} with another fold or row")


def _first(fold: pl.DataFrame) -> datetime:
    first: datetime = fold.select(pl.col(EVENT_TIMESTAMP).min()).item()
    return first


def _assert_before(times: pl.Series, limit: datetime, what: str) -> None:
    late = times.filter(times >= limit)
    if len(late):
        raise LeakError.found(
            f"{what} at {late.max()!s}, not before {limit.isoformat()} ({len(late):,} rows)"
        )
