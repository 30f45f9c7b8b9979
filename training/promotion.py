"""Whether a challenger may replace the champion: judged on the same later days, by declared rules.

Pure: two sets of scores of the same rows in, the decision and its evidence out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from training.bootstrap import REPLICATES, Interval, OfDays, by_day
from training.operating_points import Floats
from training.scored_rows import ScoredRows
from training.tasks.task import Task


@dataclass(frozen=True)
class PromotionRules:
    """What a challenger has to show.

    The interval of its gain, in the metric that its task declares, must lie above `margin`. Its
    calibration may not be worse beyond doubt, no slice with a support of at least
    `slice_support` may lose more than `slice_loss` of its worth, and one row may take at most
    `latency_ms`. It must reach the floors of its use case too.
    """

    margin: float = 0.0
    slice_support: int = 30
    slice_loss: float = 0.05
    latency_ms: float = 5.0


@dataclass(frozen=True)
class Check:
    """One rule, what was found, and whether it holds."""

    name: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Decision:
    """The checks in their order, and the metrics of both models and of their difference.

    Those of the champion and of the difference are empty where there is no champion.
    """

    checks: tuple[Check, ...]
    champion: Mapping[str, Interval]
    challenger: Mapping[str, Interval]
    difference: Mapping[str, Interval]

    @property
    def is_promoted(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """All of it, and the answer."""
        return asdict(self) | {"is_promoted": self.is_promoted}


def decide(
    champion: ScoredRows | None,
    challenger: ScoredRows,
    rules: PromotionRules,
    *,
    latency_ms: float,
    parity: str | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Decision:
    """The decision on rows that both scored; None where there is no champion to be beaten.

    Both models get the same draws of days, so that a day that is hard for both says nothing.
    `latency_ms` is what one row takes the challenger. `parity` names what the last audit
    found wrong, "" for nothing; None where there was no audit.
    """

    def intervals(metrics: OfDays) -> dict[str, Interval]:
        return by_day(metrics, challenger.days.count, seed=seed, replicates=replicates)

    found = intervals(challenger.metrics)
    checks = floor_checks(found, challenger.use_case.floors) + (
        Check("latency", f"{latency_ms:.2f} ms a row", latency_ms <= rules.latency_ms),
        Check("parity", "no audit" if parity is None else parity or "no mismatch", not parity),
    )
    if champion is None:
        return Decision(checks, {}, found, {})
    gain = intervals(lambda of_days: differences(champion, challenger, of_days))
    task = challenger.use_case.task
    compared = (
        _gain(gain[task.gain], task, rules),
        _calibration(gain[task.calibration], task),
        _slices(champion, challenger, rules),
    )
    return Decision(compared + checks, intervals(champion.metrics), found, gain)


def floor_checks(metrics: Mapping[str, Interval], floors: Mapping[str, float]) -> tuple[Check, ...]:
    """Whether the interval of each metric lies above its floor; one that is not known does not."""
    return tuple(
        Check(f"{name} above {floor:g}", _in_words(metrics[name]), metrics[name].low > floor)
        for name, floor in floors.items()
    )


def differences(champion: ScoredRows, challenger: ScoredRows, of_days: Floats) -> dict[str, float]:
    """Each metric of the challenger less that of the champion, of rows that both scored."""
    one, other = champion.metrics(of_days), challenger.metrics(of_days)
    return {name: other[name] - one[name] for name in one}


def _gain(gain: Interval, task: Task, rules: PromotionRules) -> Check:
    if task.is_less_better:
        gain = Interval(-gain.value, -gain.high, -gain.low)
    # A gain that is not known is NaN, and above nothing.
    return Check(
        f"{task.gain} gain above {rules.margin:g}", _in_words(gain), gain.low > rules.margin
    )


def _calibration(worse: Interval, task: Task) -> Check:
    holds = not math.isnan(worse.low) and worse.low <= 0
    return Check("calibration", f"{task.calibration} {_in_words(worse)}", holds)


def _in_words(interval: Interval) -> str:
    return f"{interval.value:+.5f} ({interval.low:+.5f} to {interval.high:+.5f})"


def _slices(champion: ScoredRows, challenger: ScoredRows, rules: PromotionRules) -> Check:
    lost = []
    others = {part.name: part for part in challenger.slices()}
    for one in champion.slices():
        other = others.get(one.name)
        if other is None or one.support < rules.slice_support:
            continue
        if one.worth - other.worth > rules.slice_loss:
            lost.append(f"{one.name}: {one.worth:.3f} to {other.worth:.3f}")
    return Check("slices", "; ".join(lost) or "none loses", not lost)
