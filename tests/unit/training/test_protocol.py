"""Folds by the handbook: what is fitted on was known, and known suspects are not asked about."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from labelled_rows import DAY, START, labelled_rows

from training.errors import LeakError
from training.leak import assert_fit_is_earlier
from training.protocol import Fold, Protocol
from training.split import Split
from training.use_case import load_use_case

CARDS = 7


@pytest.fixture
def rows() -> pl.DataFrame:
    found = labelled_rows(days=40, positive_every=23)
    return found.with_columns(customer_id=pl.int_range(pl.len()) % CARDS)


def _days(rows: pl.DataFrame) -> tuple[float, float]:
    times = (rows["event_timestamp"] - START).dt.total_seconds() / 86_400
    return float(times.min()), float(times.max())  # type: ignore[arg-type]


def test_the_days_are_those_of_the_preset(rows: pl.DataFrame) -> None:
    fold = Protocol().fold(rows, START + 3 * DAY)
    assert _days(fold.fit) == (3.0, 9.875)
    assert _days(fold.test) == (17.0, 23.875)
    later = START + 28 * DAY
    assert Protocol().validation_starts(later) == [START + 14 * DAY]
    starts = Protocol(validation_folds=3).validation_starts(later)
    assert starts == [START + days * DAY for days in (14, 7, 0)]
    assert Protocol().end(START) == START + 21 * DAY


def test_nothing_that_is_known_later_is_fitted_on(rows: pl.DataFrame) -> None:
    late = pl.col("event_timestamp") + pl.duration(days=pl.int_range(pl.len()) % 13)
    rows = rows.with_columns(label_known_at=late)
    fold = Protocol().fold(rows, START)
    assert 0 < fold.fit.height < 7 * 8
    assert_fit_is_earlier(fold.fit, fold.test, row_id="transaction_id")


def test_a_card_known_by_midnight_is_left_out_from_then_on(rows: pl.DataFrame) -> None:
    fold = Protocol(suspect="customer_id").fold(rows, START)
    everything = Protocol().fold(rows, START).test
    positives = rows.filter(pl.col("label") == 1)
    kept = set(fold.test["transaction_id"])
    for row in everything.iter_rows(named=True):
        midnight = row["event_timestamp"].replace(hour=0)
        known = positives.filter(
            pl.col("customer_id") == row["customer_id"], pl.col("label_known_at") < midnight
        )
        assert (row["transaction_id"] in kept) == known.is_empty()
    assert 0 < len(kept) < everything.height


def _planted(fold: Fold, kind: str) -> Fold:
    """A fold with one of three leaks in it."""
    first = fold.test.head(1)
    if kind == "test row":
        return Fold(pl.concat([fold.fit, first]), fold.test)
    if kind == "late label":
        late = fold.fit.head(1).with_columns(label_known_at=first["event_timestamp"])
        return Fold(pl.concat([late, fold.fit[1:]]), fold.test)
    twice = first.with_columns(
        event_timestamp=fold.fit["event_timestamp"][0], label_known_at=START + timedelta(days=1)
    )
    return Fold(pl.concat([fold.fit, twice]), fold.test)


@pytest.mark.parametrize("kind", ["test row", "late label", "same transaction"])
def test_a_planted_leak_is_found(rows: pl.DataFrame, kind: str) -> None:
    fold = Protocol().fold(rows, START)
    assert_fit_is_earlier(fold.fit, fold.test, row_id="transaction_id")
    leaking = _planted(fold, kind)
    with pytest.raises(LeakError):
        assert_fit_is_earlier(leaking.fit, leaking.test, row_id="transaction_id")


def test_a_split_is_described() -> None:
    rows = labelled_rows(days=3)
    split = Split(rows[:8], rows[8:16], rows[16:], known=rows[:16])
    described = split.describe(load_use_case("fraud").task)
    assert described["train"]["rows"] == 8
