"""What stale features cost: one model for each schedule, judged on the same later days.

Each is fitted and judged on what the online store would hold under its schedule, so that it
is served the numbers that it was trained on; only their age differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from lockstep.settings import Settings
from training.bootstrap import Interval, by_day
from training.fit import FitParameters
from training.leak import assert_no_leak
from training.plots import figure
from training.promotion import differences
from training.run import Progress, joined_split, labelled_rows, scored_by
from training.scored_rows import ScoredRows
from training.selection import fit_selected
from training.split import plan_split
from training.split_rules import SplitRules
from training.use_case import UseCase

if TYPE_CHECKING:
    from feast import FeatureStore
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lockstep.stores.visibility import Visibility

EXACT = "exact"


@dataclass(frozen=True)
class ScheduleResult:
    """One schedule: its model's metrics, and what they lose or gain against exact features.

    `difference` is empty for the exact ones. Both have intervals by the same draws of days.
    """

    schedule: str
    rows: int
    metrics: Mapping[str, Interval]
    difference: Mapping[str, Interval]


def freshness_cost(
    settings: Settings,
    store: FeatureStore,
    use_case: UseCase,
    schedules: Mapping[str, Visibility],
    *,
    as_of: datetime | None,
    split: SplitRules,
    parameters: FitParameters,
    progress: Progress,
) -> list[ScheduleResult]:
    """Exact features first, then each of `schedules` in order.

    Rows, folds, parameters and seed are the same for all; the number of trees is chosen on
    each schedule's own validation fold.

    Raises:
        LockstepError: data, definitions or a schedule do not allow it.
    """
    progress("reading labels", 0.0)
    known_by, rows = labelled_rows(settings, use_case, as_of)
    plan = plan_split(rows, use_case.task, split)
    exact: ScoredRows | None = None
    results = []
    asked: dict[str, Visibility | None] = {EXACT: None, **schedules}
    for done, (name, visibility) in enumerate(asked.items()):
        told = partial(_of_schedule, progress, name, done, len(asked))
        folds, dataset = joined_split(store, use_case, plan, rows, told, as_served=visibility)
        assert_no_leak(folds, row_id=use_case.row_id, as_of=known_by)
        told("fitting", 0.4)
        predictor, _ = fit_selected(
            folds,
            dataset,
            use_case=use_case,
            as_of=known_by,
            parameters=parameters,
            above=None,
            seed=parameters.seed,
            on_tree=lambda *_: True,
        )
        told("evaluating", 0.8)
        scored = scored_by(predictor, folds.test, use_case)
        results.append(_result(name, scored, exact, seed=parameters.seed))
        exact = exact or scored
    return results


def cost_figure(results: Sequence[ScheduleResult], metric: str) -> Figure:
    """The metric under each schedule, with its interval."""
    return figure(partial(_draw, metric=metric), results)


def _draw(axes: Axes, results: Sequence[ScheduleResult], *, metric: str) -> None:
    found = [result.metrics[metric] for result in results]
    ends = [[one.value - one.low for one in found], [one.high - one.value for one in found]]
    names = [result.schedule for result in results]
    axes.errorbar(names, [one.value for one in found], yerr=ends, fmt="o", capsize=6)
    axes.margins(x=0.2)
    axes.set(xlabel="features", ylabel=metric, title="What the age of features costs")


def _of_schedule(
    progress: Progress, name: str, done: int, schedules: int, what: str, share: float
) -> None:
    progress(f"{name}: {what}", (done + share) / schedules)


def _result(
    name: str, scored: ScoredRows, exact: ScoredRows | None, *, seed: int
) -> ScheduleResult:
    lost = {}
    if exact is not None:
        lost = by_day(partial(differences, exact, scored), scored.days.count, seed=seed)
    return ScheduleResult(name, scored.rows.height, scored.intervals(seed=seed), lost)
