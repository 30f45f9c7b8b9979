"""The same search with several trials at once, on the executors of Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lockstep.lake.lake import Lake
from training.search import Search, best_of, space
from training.trial_log import Trial, TrialLog
from training.validation import TrialFit


def search_on_spark(
    search: Search,
    fitting: TrialFit,
    log: TrialLog,
    *,
    lake: Lake,
    parallelism: int,
) -> Trial:
    """The best of `search.trials` trials, `parallelism` at a time; none is ended early.

    Trials that run at once do not know of each other, so that the order in which they end
    changes what is asked for next: two searches with one seed may differ. `log` gets all
    trials at the end.

    Raises:
        SparkError: there is no Spark, or its tasks failed.
    """
    import numpy as np
    from hyperopt import SparkTrials, fmin, tpe

    from lockstep.lake.spark.session import spark_session

    trials = SparkTrials(parallelism, spark_session=spark_session("search", lake=lake))
    fmin(
        _Objective(fitting),
        space(fitting.validation.task),
        algo=tpe.suggest,
        max_evals=search.trials,
        trials=trials,
        rstate=np.random.default_rng(search.seed),
        show_progressbar=False,
    )
    for document in trials.trials:
        trial = Trial(**document["result"]["trial"] | {"number": document["tid"]})
        log.add(trial)
    return best_of(log.trials)


class _Objective:
    """One trial, as a task of Spark runs it."""

    def __init__(self, fitting: TrialFit) -> None:
        self._fitting = fitting

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        numbers = {name: float(value) for name, value in values.items()}
        trial = self._fitting.evaluate(0, numbers, lambda curve: False)
        return {"loss": -trial.score, "status": "ok", "trial": asdict(trial)}
