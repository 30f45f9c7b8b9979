"""Whether a challenger may replace the champion: judged on the same later days, by declared rules.

Pure: two sets of scores of the same rows in, the decision and its evidence out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from training.bootstrap import REPLICATES, Interval, by_day
from training.evaluate import ScoredRows
from training.operating_points import Floats

METRIC = "average_precision"


@dataclass(frozen=True)
class PromotionRules:
    """What a challenger has to show.

    The interval of its gain in average precision must lie above `margin`. Its Brier score
    may not be worse beyond doubt, no slice with at least `slice_positives` positives may
    lose more than `slice_loss` of its recall, and one row may take at most `latency_ms`.
    """

    margin: float = 0.0
    slice_positives: int = 30
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
    """The checks in their order, and the metrics of both models and of their difference."""

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
    champion: ScoredRows,
    challenger: ScoredRows,
    rules: PromotionRules,
    *,
    latency_ms: float,
    parity: str | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Decision:
    """The decision on rows that both scored.

    Both models get the same draws of days, so that a day that is hard for both says nothing.
    `latency_ms` is what one row takes the challenger. `parity` names what the last audit
    found wrong, "" for nothing; None where there was no audit.
    """

    def differences(of_days: Floats) -> dict[str, float]:
        one, other = champion.metrics(of_days), challenger.metrics(of_days)
        return {name: other[name] - one[name] for name in one}

    days = champion.days.count
    gain = by_day(differences, days, seed=seed, replicates=replicates)
    checks = (
        _gain(gain[METRIC], rules),
        _calibration(gain["brier"]),
        _slices(champion, challenger, rules),
        Check("latency", f"{latency_ms:.2f} ms a row", latency_ms <= rules.latency_ms),
        Check("parity", "no audit" if parity is None else parity or "no mismatch", not parity),
    )
    return Decision(
        checks,
        champion.intervals(seed=seed, replicates=replicates),
        challenger.intervals(seed=seed, replicates=replicates),
        gain,
    )


def _gain(gain: Interval, rules: PromotionRules) -> Check:
    found = f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
    # A gain that is not known is NaN, and above nothing.
    return Check(f"{METRIC} above {rules.margin:+.4f}", found, gain.low > rules.margin)


def _calibration(worse: Interval) -> Check:
    found = f"Brier {worse.value:+.5f} ({worse.low:+.5f} to {worse.high:+.5f})"
    return Check("calibration", found, not math.isnan(worse.low) and worse.low <= 0)


def _slices(champion: ScoredRows, challenger: ScoredRows, rules: PromotionRules) -> Check:
    lost = []
    others = {part.name: part for part in challenger.slices()}
    for one in champion.slices():
        other = others.get(one.name)
        if other is None or one.positives < rules.slice_positives:
            continue
        if one.recall - other.recall > rules.slice_loss:
            lost.append(f"{one.name}: recall {one.recall:.3f} to {other.recall:.3f}")
    return Check("slices", "; ".join(lost) or "no slice loses recall", not lost)
