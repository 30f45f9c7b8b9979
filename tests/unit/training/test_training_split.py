"""Folds are cut by time and by when labels became known."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from labelled_rows import DAY, START, labelled_rows

from training.costs import DecisionCosts
from training.errors import TrainingError
from training.leak import assert_no_leak
from training.split import plan_split
from training.split_rules import SplitRules
from training.tasks.two_classes import TwoClasses


def _days(rows: pl.DataFrame) -> tuple[int, int]:
    """The first and the last day of T, counted from START."""
    times = rows["event_timestamp"]
    return (times.min() - START).days, (times.max() - START).days  # type: ignore[operator,union-attr]


TASK = TwoClasses(DecisionCosts("cents", 1.0, "amount"))


def test_by_hand() -> None:
    rows = labelled_rows(days=60)
    plan = plan_split(rows, TASK, SplitRules())
    split = plan.split(rows)
    assert plan.purged
    assert _days(split.test) == (53, 59)
    assert _days(split.validation) == (39, 45)
    assert _days(split.train) == (0, 31)


def test_train_days_bound_the_fit_validation_included() -> None:
    rows = labelled_rows(days=60)
    split = plan_split(rows, TASK, SplitRules(train_days=30)).split(rows)
    assert _days(split.validation) == (39, 45)
    assert _days(split.train) == (16, 31)


def test_an_embargo_keeps_the_last_labels_before_a_fold_out_of_the_fit() -> None:
    rows = labelled_rows(days=60)
    split = plan_split(rows, TASK, SplitRules(embargo_days=3)).split(rows)
    assert _days(split.test) == (53, 59)
    assert _days(split.validation) == (36, 42)
    assert _days(split.train) == (0, 25)


def test_a_short_history_keeps_a_quarter_for_validation_and_says_that_it_is_not_purged() -> None:
    rows = labelled_rows(days=22)
    plan = plan_split(rows, TASK, SplitRules())
    split = plan.split(rows)
    assert not plan.purged
    assert _days(split.validation) == (6, 7)
    assert _days(split.train) == (0, 5)


@given(
    days=st.integers(3, 40),
    a_day=st.integers(4, 12),
    delay_hours=st.integers(1, 10 * 24),
    test_days=st.integers(1, 10),
    train_days=st.none() | st.integers(1, 20),
    embargo_days=st.integers(0, 5),
)
def test_no_split_ever_leaks(
    days: int,
    a_day: int,
    delay_hours: int,
    test_days: int,
    train_days: int | None,
    embargo_days: int,
) -> None:
    rows = labelled_rows(days=days, a_day=a_day, delay=timedelta(hours=delay_hours))
    as_of = rows["label_known_at"].max()
    assert isinstance(as_of, datetime)
    try:
        plan = plan_split(
            rows,
            TASK,
            SplitRules(test_days=test_days, train_days=train_days, embargo_days=embargo_days),
        )
        split = plan.split(rows)
    except TrainingError:
        assume(False)
    assert_no_leak(split, row_id="transaction_id", as_of=as_of)
    embargo = embargo_days * DAY
    known = split.validation["label_known_at"].max()
    assert known < split.test["event_timestamp"].min() - embargo  # type: ignore[operator]
    if plan.purged:
        known = split.train["label_known_at"].max()
        assert known < split.validation["event_timestamp"].min() - embargo  # type: ignore[operator]


def test_a_late_verdict_keeps_its_row_out_of_the_fit() -> None:
    rows = labelled_rows(days=60)
    late = pl.when(pl.col("transaction_id") == 5).then(pl.lit(START + 55 * DAY))
    rows = rows.with_columns(late.otherwise("label_known_at").alias("label_known_at"))
    split = plan_split(rows, TASK, SplitRules()).split(rows)
    assert 5 not in split.rows()["transaction_id"]
    assert {4, 6} <= set(split.train["transaction_id"])


def test_no_label_before_the_test_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no label was known before the test starts"):
        plan_split(labelled_rows(days=10), TASK, SplitRules(test_days=7))


@pytest.mark.parametrize(("test_days", "train_days"), [(0, None), (-1, None), (7, 0)])
def test_less_than_a_day_is_an_error(test_days: int, train_days: int | None) -> None:
    with pytest.raises(TrainingError, match="expected a whole number of days"):
        plan_split(
            labelled_rows(days=60), TASK, SplitRules(test_days=test_days, train_days=train_days)
        )


def test_an_embargo_is_not_negative() -> None:
    with pytest.raises(TrainingError, match="--embargo-days is -1, expected .* days from 0 on"):
        plan_split(labelled_rows(days=60), TASK, SplitRules(embargo_days=-1))


def test_one_class_in_a_fold_is_an_error_that_names_it() -> None:
    rows = labelled_rows(days=60)
    in_test = pl.col("event_timestamp") >= START + 53 * DAY
    rows = rows.with_columns(pl.when(in_test).then(0).otherwise("label").alias("label"))
    with pytest.raises(TrainingError, match="the test rows have one class only: 0 positives in 56"):
        plan_split(rows, TASK, SplitRules()).split(rows)
