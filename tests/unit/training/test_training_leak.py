"""Planted leaks are found and named."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import polars as pl
import pytest
from labelled_rows import DAY, START, labelled_rows

from training.errors import LeakError
from training.leak import assert_no_leak
from training.split import Split, plan_split
from training.split_rules import SplitRules
from training.use_case import load_use_case

AS_OF = START + 67 * DAY
_TEST_START = START + 53 * DAY


@pytest.fixture
def split() -> Split:
    rows = labelled_rows(days=60)
    return plan_split(rows, load_use_case("fraud").task, SplitRules()).split(rows)


def _check(split: Split, as_of: datetime = AS_OF) -> None:
    assert_no_leak(split, row_id="transaction_id", as_of=as_of)


def _with_first(rows: pl.DataFrame, column: str, value: datetime) -> pl.DataFrame:
    is_first = pl.int_range(pl.len()) == 0
    return rows.with_columns(pl.when(is_first).then(pl.lit(value)).otherwise(column).alias(column))


def test_a_clean_split_passes(split: Split) -> None:
    _check(split)


@pytest.mark.parametrize("fold", ["train", "validation"])
def test_a_label_learned_as_the_test_starts_is_a_leak(split: Split, fold: str) -> None:
    late = _with_first(split.folds()[fold], "label_known_at", _TEST_START)
    with pytest.raises(LeakError, match="a label of the fit became known"):
        _check(dataclasses.replace(split, **{fold: late}))


def test_a_test_row_older_than_a_label_of_the_fit_is_a_leak(split: Split) -> None:
    early = _with_first(split.test, "event_timestamp", START + 52 * DAY)
    with pytest.raises(LeakError, match="a label of the fit became known"):
        _check(dataclasses.replace(split, test=early))


def test_rows_of_the_fit_from_test_time_are_a_leak(split: Split) -> None:
    late = _with_first(split.validation, "event_timestamp", START + 58 * DAY)
    with pytest.raises(LeakError, match="a row of the fit lies"):
        _check(dataclasses.replace(split, validation=late))


def test_a_random_split_is_a_leak() -> None:
    rows = labelled_rows(days=60).sample(fraction=1.0, shuffle=True, seed=0)
    shuffled = Split(rows[:300], rows[300:400], rows[400:], known=rows[:400])
    with pytest.raises(LeakError):
        _check(shuffled)


def test_training_rows_after_validation_are_a_leak(split: Split) -> None:
    swapped = dataclasses.replace(split, train=split.validation, validation=split.train)
    with pytest.raises(LeakError, match="a training row lies"):
        _check(swapped)


def test_a_row_in_two_folds_is_a_leak(split: Split) -> None:
    copied = split.test.with_columns(transaction_id=pl.lit(5, dtype=pl.Int64))
    with pytest.raises(LeakError, match="share their transaction_id"):
        _check(dataclasses.replace(split, test=copied))


def test_a_label_from_after_the_training_instant_is_a_leak(split: Split) -> None:
    with pytest.raises(LeakError, match="labels became known after 2018-06-06"):
        _check(split, as_of=START + 66 * DAY)
