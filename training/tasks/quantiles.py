"""How much of something: quantiles of a positive number, fitted on its logarithm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from lockstep.contract.targets import QuantileTarget, Target
from training.errors import TrainingError
from training.metrics import pinball_losses, r_squared, weighted_median
from training.operating_points import Bools, Floats
from training.scored_rows import ScoredRows
from training.tasks.task import Task
from training.use_case import LABEL, UseCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.fit import FitParameters


@dataclass(frozen=True)
class Quantiles(Task):
    """Labels are positive numbers, `unit` is theirs; the lowest and highest level are a range.

    `baseline` is a feature that is an estimate by itself, which a model has to beat.
    """

    unit: str
    levels: tuple[float, ...] = (0.05, 0.5, 0.95)
    baseline: str | None = None

    worth_name: ClassVar[str] = "negative_pinball_loss"
    gain: ClassVar[str] = "mape"
    is_less_better: ClassVar[bool] = True
    calibration: ClassVar[str] = "coverage_gap"
    target_rule: ClassVar[str] = "range widened until it covers enough of the validation fold"

    @property
    def undecided(self) -> QuantileTarget:
        return QuantileTarget(self.levels, of_log=True)

    @property
    def curve_metric(self) -> str:
        return f"MultiQuantile:alpha={','.join(map(str, self.levels))}"

    def keywords(self, parameters: FitParameters) -> dict[str, Any]:
        return {"loss_function": self.curve_metric}

    def labels(self, rows: pl.DataFrame) -> Floats:
        return rows.get_column(LABEL).cast(pl.Float64).to_numpy()

    def fitted_labels(self, labels: Any) -> Floats:
        return np.asarray(np.log(labels))

    def estimator(self, keywords: Mapping[str, Any]) -> Any:
        from catboost import CatBoostRegressor

        return CatBoostRegressor(**keywords)

    def worth(self, labels: Any, outputs: Floats) -> float:
        return -float(pinball_losses(np.log(labels), np.log(outputs), self.levels).mean())

    def target(self, rows: pl.DataFrame, outputs: Floats) -> Target:
        """The margin is the least that covers the share of rows that the levels promise."""
        labels, read = np.log(self.labels(rows)), np.log(outputs)
        outside = np.maximum(read[:, 0] - labels, labels - read[:, -1])
        share = self.levels[-1] - self.levels[0]
        covered = min(math.ceil((len(outside) + 1) * share), len(outside))
        return replace(self.undecided, margin=float(np.sort(outside)[covered - 1]))

    def check_fold(self, name: str, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            raise TrainingError.empty_fold(name, "no row is left", "use more days")
        bad = int((~(self.labels(rows) > 0)).sum())
        if bad:
            raise TrainingError.not_positive(name, bad)

    def describe(self, rows: pl.DataFrame) -> dict[str, int | float]:
        return {f"median_{self.unit}": float(np.median(self.labels(rows)))}

    def scored(
        self, rows: pl.DataFrame, outputs: Floats, target: Target, use_case: UseCase
    ) -> ScoredQuantiles:
        if not isinstance(target, QuantileTarget):
            raise TrainingError.other_task(use_case.name, "quantiles")
        return ScoredQuantiles(rows, outputs, target.decided(outputs), target, use_case, self)


@dataclass(frozen=True)
class ErrorSlice:
    """A part of the rows; errors are shares of the true number, NaN for no rows."""

    name: str
    rows: int
    mape: float
    median_ape: float
    coverage: float

    @property
    def support(self) -> int:
        """Its rows."""
        return self.rows

    @property
    def worth(self) -> float:
        """Less error is better."""
        return -self.mape


@dataclass(frozen=True)
class ScoredQuantiles(ScoredRows):
    """Rows with quantiles; the median is the estimate."""

    target: QuantileTarget
    task: Quantiles

    @cached_property
    def errors(self) -> Floats:
        """(rows,) the absolute error as a share of the true number."""
        return np.asarray(np.abs(self.scores / self.labels - 1))

    @cached_property
    def covered(self) -> Bools:
        """(rows,) whether the true number lies between the lowest and the highest quantile."""
        return np.asarray(
            (self.outputs[:, 0] <= self.labels) & (self.labels <= self.outputs[:, -1])
        )

    @property
    def nominal_coverage(self) -> float:
        """The share of rows that should be covered."""
        return self.task.levels[-1] - self.task.levels[0]

    @cached_property
    def _baseline_errors(self) -> Floats | None:
        """(rows,) NaN where the baseline knows nothing."""
        if self.task.baseline is None or self.task.baseline not in self.rows.columns:
            return None
        estimates = self.rows.get_column(self.task.baseline).cast(pl.Float64)
        return np.asarray(np.abs(estimates.fill_null(np.nan).to_numpy() / self.labels - 1))

    @cached_property
    def _pinball(self) -> Floats:
        return pinball_losses(np.log(self.labels), np.log(self.outputs), self.task.levels)

    def own_metrics(self, weights: Floats) -> dict[str, float]:
        """Absolute errors in the unit and as shares, R2, and how the range covers.

        `mape` is a mean, `median_ape` a median. `mape_below_baseline` is how far the error lies
        below the baseline's, on the rows where that knows something. `range_width` is the
        mean of highest over lowest quantile, less 1.
        """
        coverage = float(np.average(self.covered, weights=weights))
        return {
            f"mae_{self.task.unit}": float(
                np.average(np.abs(self.scores - self.labels), weights=weights)
            ),
            "mape": float(np.average(self.errors, weights=weights)),
            "median_ape": weighted_median(self.errors, weights),
            "r2": r_squared(self.labels, self.scores, weights),
            "pinball_loss": float(np.average(self._pinball, weights=weights)),
            "coverage": coverage,
            "coverage_gap": abs(coverage - self.nominal_coverage),
            "range_width": float(
                np.average(self.outputs[:, -1] / self.outputs[:, 0] - 1, weights=weights)
            ),
            **self._against_baseline(weights),
        }

    def _against_baseline(self, weights: Floats) -> dict[str, float]:
        if self._baseline_errors is None:
            return {}
        known = ~np.isnan(self._baseline_errors)
        total = weights[known].sum()
        if not total:
            return dict.fromkeys(_BASELINE, float("nan"))
        theirs = float((weights * self._baseline_errors)[known].sum() / total)
        ours = float((weights * self.errors)[known].sum() / total)
        found = theirs, theirs - ours, float(total / weights.sum())
        return dict(zip(_BASELINE, found, strict=True))

    def slices(self) -> list[ErrorSlice]:
        return [self._slice(name, mask) for name, mask in self.parts()]

    def _slice(self, name: str, mask: Bools) -> ErrorSlice:
        if not mask.any():
            return ErrorSlice(name, 0, *[float("nan")] * 3)
        errors, covered = self.errors[mask], float(self.covered[mask].mean())
        means = float(errors.mean()), float(np.median(errors))
        return ErrorSlice(name, int(mask.sum()), *means, covered)

    def facts(self) -> Iterable[tuple[str, str]]:
        levels = ", ".join(f"{level:g}" for level in self.task.levels)
        yield "quantiles", f"{levels} of {self.task.unit}, fitted on the logarithm"
        wider = f"{np.expm1(self.target.margin):+.1%}"
        yield "range", f"{wider} on both sides ({self.task.target_rule})"

    def figures(self) -> dict[str, Figure]:
        from training.tasks.quantiles_plots import figures

        return figures(self)


_BASELINE = ("baseline_mape", "mape_below_baseline", "baseline_known_share")
