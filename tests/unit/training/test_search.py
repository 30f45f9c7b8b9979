"""A search is the same for one seed, goes on where it was ended, and prunes the hopeless."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from training.errors import SearchError
from training.fit import FitParameters
from training.search import Hopeless, Search, with_values
from training.trial_log import Trial, TrialLog
from training.use_case import load_use_case

TASK = load_use_case("fraud").task
TOLD = {"rows": "abc", "seed": 3}


class Bowl:
    """A score that is best at depth 6 and a learning rate of 0.1; counts what it is asked."""

    def __init__(self, *, ends_after: int = 10**6) -> None:
        self.asked: list[int] = []
        self._left = ends_after

    def __call__(self, number: int, values: Mapping[str, float], hopeless: Hopeless) -> Trial:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        self.asked.append(number)
        score = 1 - abs(values["depth"] - 6) / 20 - abs(values["learning_rate"] - 0.1)
        return Trial(number, values, score, 10, [score], is_pruned=False)


def ignore(trial: Trial, best: Trial) -> None:
    pass


def test_the_same_seed_asks_for_the_same_parameters(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        log = TrialLog(tmp_path / name, TOLD)
        Search(12, seed=3).run(TASK, Bowl(), log, ignore)
        runs.append(log.trials)
    assert runs[0] == runs[1]
    assert len({json.dumps(trial.values) for trial in runs[0]}) == 12
    other = TrialLog.in_memory()
    Search(12, seed=4).run(TASK, Bowl(), other, ignore)
    assert other.trials != runs[0]


def test_later_trials_are_better_than_the_first_ones() -> None:
    log = TrialLog.in_memory()
    best = Search(60, seed=1).run(TASK, Bowl(), log, ignore)
    scores = [trial.score for trial in log.trials]
    assert best.score == max(scores)
    assert sum(scores[30:]) / 30 > sum(scores[:20]) / 20


@pytest.mark.parametrize("ended_after", [0, 1, 5, 11])
def test_a_search_that_was_killed_goes_on_and_ends_the_same(
    tmp_path: Path, ended_after: int
) -> None:
    whole = TrialLog.in_memory()
    best = Search(12, seed=3).run(TASK, Bowl(), whole, ignore)
    path = tmp_path / "trials.jsonl"
    with pytest.raises(KeyboardInterrupt):
        Search(12, seed=3).run(TASK, Bowl(ends_after=ended_after), TrialLog(path, TOLD), ignore)
    if ended_after:
        # Killed in the middle of a line.
        text = path.read_text() + '{"number": 9'
        path.write_text(text)
    log, rest = TrialLog(path, TOLD), Bowl()
    assert Search(12, seed=3).run(TASK, rest, log, ignore) == best
    assert rest.asked == list(range(ended_after, 12))
    assert TrialLog(path, TOLD).trials == whole.trials


def test_a_search_of_other_rows_does_not_go_on_there(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    Search(2).run(TASK, Bowl(), TrialLog(path, TOLD), ignore)
    with pytest.raises(SearchError, match="the trials of another search"):
        TrialLog(path, TOLD | {"rows": "other"})


def test_what_is_below_the_median_is_hopeless() -> None:
    """The sixth trial sees the curves of five that ran to their end: 1, 2, 3, 4 and 5."""
    verdicts = {}

    def evaluate(number: int, values: Mapping[str, float], hopeless: Hopeless) -> Trial:
        if number == 5:
            verdicts.update({best: hopeless([best]) for best in (2.9, 3.0, 9.0)})
        assert number == 5 or not hopeless([-1.0])
        return Trial(number, values, 0.5, 25, [float(number + 1)], is_pruned=False)

    Search(6).run(TASK, evaluate, TrialLog.in_memory(), ignore)
    assert verdicts == {2.9: True, 3.0: False, 9.0: False}


def test_values_become_parameters_of_their_types() -> None:
    found = with_values(FitParameters(), {"depth": 5.0, "learning_rate": 0.2})
    assert (found.depth, found.learning_rate) == (5, 0.2)
    assert isinstance(found.depth, int)
