"""Trials on Spark's executors: each is what it would be here."""

from __future__ import annotations

import polars as pl
import pytest

from lockstep.lake.lake import Lake
from training.costs import DecisionCosts
from training.fit import FitParameters
from training.search import Search
from training.spark_search import search_on_spark
from training.tasks.two_classes import TwoClasses
from training.trial_log import TrialLog
from training.validation import TrialFit, Validation


@pytest.mark.usefixtures("spark")
def test_trials_run_on_executors(local_lake: Lake) -> None:
    numbers = pl.int_range(240, eager=True)
    labels = (numbers % 4 == 0).cast(pl.Int64)
    rows = pl.DataFrame({"label": labels, "signal": labels, "noise": numbers})
    task = TwoClasses(DecisionCosts("cents", 1.0, "amount"))
    validation = Validation.of(task, [(rows[:120], rows[120:])], ("signal", "noise"))
    fitting = TrialFit(validation, FitParameters(iterations=5))
    log = TrialLog.in_memory()
    best = search_on_spark(Search(4, seed=1), fitting, log, lake=local_lake, parallelism=2)
    assert sorted(trial.number for trial in log.trials) == [0, 1, 2, 3]
    assert best.score == max(trial.score for trial in log.trials) > 0.9
    for trial in log.trials:
        here = fitting.evaluate(trial.number, trial.values, lambda curve: False)
        assert (here.score, here.trees) == (trial.score, trial.trees)
