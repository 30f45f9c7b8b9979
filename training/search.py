"""A search for parameters: hyperopt's tree of Parzen estimators, seeded and resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import median
from typing import Any

from training.fit import FitParameters
from training.tasks.task import Task
from training.trial_log import Trial, TrialLog

# So many trees apart the trials are compared with each other.
CHECKPOINT = 25
# So many trials run to their end before any is ended early.
_UNPRUNED = 5

# What is asked of one trial: its number, its parameters, and whether a curve is hopeless.
Hopeless = Callable[[Sequence[float]], bool]
Evaluate = Callable[[int, Mapping[str, float], Hopeless], Trial]
OnTrial = Callable[[Trial, Trial], None]


def space(task: Task) -> dict[str, Any]:
    """What is searched, by the names of `FitParameters`; trees are found by early stopping."""
    from hyperopt import hp
    from numpy import log

    return {
        "depth": hp.uniformint("depth", 4, 9),
        "learning_rate": hp.loguniform("learning_rate", log(0.02), log(0.3)),
        "l2_leaf_reg": hp.loguniform("l2_leaf_reg", log(0.5), log(100)),
        "random_strength": hp.loguniform("random_strength", log(0.05), log(20)),
        "bagging_temperature": hp.uniform("bagging_temperature", 0, 3),
        **task.search_space(),
    }


@dataclass(frozen=True)
class Search:
    """`trials` sets of parameters; the same seed and rows give the same ones."""

    trials: int = 50
    seed: int = 0

    def run(self, task: Task, evaluate: Evaluate, log: TrialLog, on_trial: OnTrial) -> Trial:
        """The best trial, after those that `log` has already and as many as are left.

        `on_trial` gets each new trial and the best so far.
        """
        from hyperopt import STATUS_OK, Trials, tpe
        from hyperopt.base import JOB_STATE_DONE, Domain

        domain, history = Domain(_never_called, space(task)), Trials()
        past, done = {trial.number: trial for trial in log.trials}, list[Trial]()
        for number in range(self.trials):
            (document,) = tpe.suggest([number], domain, history, self.seed + number, verbose=False)
            values = _values(document)
            trial = past.get(number)
            if trial is None:
                trial = evaluate(number, values, _hopeless_among(done))
                log.add(trial)
                on_trial(trial, best_of([*done, trial]))
            done.append(trial)
            document["state"] = JOB_STATE_DONE
            document["result"] = {"loss": -trial.score, "status": STATUS_OK}
            history.insert_trial_docs([document])
            history.refresh()
        return best_of(done)


def with_values(parameters: FitParameters, values: Mapping[str, float]) -> FitParameters:
    """`parameters` with what a trial says; whole numbers where they are declared so."""
    whole = {field.name for field in fields(FitParameters) if field.type == "int"}
    typed: dict[str, Any] = {n: int(v) if n in whole else float(v) for n, v in values.items()}
    return replace(parameters, **typed)


def _never_called(values: object) -> float:
    raise AssertionError("trials are evaluated by Search.run")


def _values(document: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, (value,) in document["misc"]["vals"].items()}


def best_of(trials: Sequence[Trial]) -> Trial:
    """The highest score; the earlier one when two tie."""
    return max(trials, key=lambda trial: (trial.score, -trial.number))


def _hopeless_among(trials: Sequence[Trial]) -> Hopeless:
    """The median rule: whether a curve lies below the median of the others there.

    Source: Golovin et al., Google Vizier (2017), section 3.2.2.
    """
    finished = [trial.curve for trial in trials if not trial.is_pruned]

    def is_hopeless(curve: Sequence[float]) -> bool:
        at = len(curve) - 1
        others = [other[min(at, len(other) - 1)] for other in finished if other]
        return len(others) >= _UNPRUNED and curve[-1] < median(others)

    return is_hopeless
