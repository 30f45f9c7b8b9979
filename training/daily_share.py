"""A metric that is a share, and whose parts are known by day."""

from __future__ import annotations

from dataclasses import dataclass

from training.operating_points import Floats


@dataclass(frozen=True)
class DailyShare:
    """A share whose parts are known by day: (days,) above and below the line."""

    above: Floats
    below: Floats

    def of_days(self, weights: Floats) -> float:
        """The share over days that count `weights` times; NaN where there is nothing below."""
        below = float((weights * self.below).sum())
        return float((weights * self.above).sum()) / below if below else float("nan")
